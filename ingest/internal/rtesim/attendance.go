package rtesim

import (
	"sync"
	"time"
)

// What happens to a connection, as far as its subscriptions go.
const (
	Subscribed = "subscribed" // how many items it has is another number now
	Ended      = "ended"      // nothing more reaches it
)

// Attendance is one entry of the book that the hub keeps of who was listening.
type Attendance struct {
	Time       time.Time `json:"time"`
	Connection string    `json:"connection"`
	What       string    `json:"what"`
	Items      int       `json:"items"` // subscribed from then on
}

type attendances struct {
	mu    sync.Mutex
	all   []Attendance
	ended map[string]bool // connections
}

// note leaves out what a connection that has ended is answered all the same.
func (b *attendances) note(connection, what string, items int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended[connection] {
		return
	}
	if what == Ended {
		if b.ended == nil {
			b.ended = map[string]bool{}
		}
		b.ended[connection] = true
	}
	b.all = append(b.all, Attendance{time.Now().UTC(), connection, what, items})
}

func (b *attendances) list() []Attendance {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Attendance{}, b.all...)
}

// clear keeps what is true of those who are connected.
func (b *attendances) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := map[string]int{}
	for i, a := range b.all {
		last[a.Connection] = i
	}
	var kept []Attendance
	for i, a := range b.all {
		if !b.ended[a.Connection] && last[a.Connection] == i {
			kept = append(kept, a)
		}
	}
	b.all = kept
}
