package rtesim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"
)

// Sent is one message that was given to one connection's socket.
type Sent struct {
	Connection string    `json:"connection"`
	ID         string    `json:"id"` // of the event; empty when the bytes tell none
	EventType  string    `json:"eventType"`
	EntityID   string    `json:"entityId"`
	Time       time.Time `json:"time"`
	Size       int       `json:"size"`
	SHA256     digest    `json:"sha256"` // of the argument's bytes
	// Uncertain: the connection broke during the write, so the client may have
	// it or not.
	Uncertain bool `json:"uncertain,omitempty"`
}

type digest [sha256.Size]byte

func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

func (d *digest) UnmarshalText(b []byte) error {
	_, err := hex.Decode(d[:], b)
	return err
}

// SentPage is a part of the log, oldest first. Entries of one connection stand
// in the order in which they were written to it.
type SentPage struct {
	Total   int    `json:"total"`   // that match, in what is kept
	Dropped int    `json:"dropped"` // entries of any connection that are no longer kept
	Entries []Sent `json:"entries"`
}

const chunkSize = 4096

// sentLog keeps the newest entries, in chunks so that the oldest can be let go.
type sentLog struct {
	mu      sync.Mutex
	limit   int
	chunks  [][]Sent
	kept    int
	dropped int
}

func (l *sentLog) add(entries []Sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if last := len(l.chunks) - 1; last < 0 || len(l.chunks[last]) == chunkSize {
			l.chunks = append(l.chunks, make([]Sent, 0, chunkSize))
		}
		last := len(l.chunks) - 1
		l.chunks[last] = append(l.chunks[last], e)
		l.kept++
	}
	for len(l.chunks) > 1 && l.kept-len(l.chunks[0]) >= l.limit {
		l.kept -= len(l.chunks[0])
		l.dropped += len(l.chunks[0])
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
	}
}

// page lists the entries of a connection, or of all when it is empty.
func (l *sentLog) page(connection string, offset, limit int) SentPage {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := SentPage{Dropped: l.dropped, Entries: []Sent{}}
	for _, chunk := range l.chunks {
		for _, e := range chunk {
			if connection != "" && e.Connection != connection {
				continue
			}
			if p.Total >= offset && len(p.Entries) < limit {
				p.Entries = append(p.Entries, e)
			}
			p.Total++
		}
	}
	return p
}

func (l *sentLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chunks, l.kept, l.dropped = nil, 0, 0
}

// identify reads what a message's bytes say of themselves, as far as they do.
func identify(argument []byte) Sent {
	var m struct {
		Data struct{ ID, EventType, EntityID string }
	}
	_ = json.Unmarshal(argument, &m) // raw bytes may be anything
	return Sent{ID: m.Data.ID, EventType: m.Data.EventType, EntityID: m.Data.EntityID}
}
