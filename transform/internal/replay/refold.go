package replay

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

// Told is one call event of the fold, and the message that made the fold tell it.
type Told struct {
	Call      event.Call
	Partition int
	At        bus.Position // in RTE
	Stored    time.Time    // of the message at that position
	Trace     string       // traceparent of the raw event that caused it

	// As the service writes it; see Encoded.
	Header map[string][]string
	Body   []byte
}

// Encoded returns the event with its header and body, which few need.
func (t Told) Encoded() (Told, error) {
	if t.Body != nil {
		return t, nil
	}
	var err error
	t.Header, t.Body, err = fold.Encode(fold.Output{Call: t.Call, Trace: t.Trace})
	return t, err
}

// Refold folds the whole raw stream in one pass: every partition sees its own
// raw events and all coverage events, in the order of the stream, as the
// service's partitions do.
type Refold struct {
	folds      []*fold.Fold
	Unreadable int // messages that only carried the clock on
}

// NewRefold makes a fold that has seen nothing.
func NewRefold(partitions int, limits call.Limits) *Refold {
	r := &Refold{folds: make([]*fold.Fold, partitions)}
	for p := range r.folds {
		r.folds[p] = fold.New(limits)
	}
	return r
}

// Take folds one message and returns it as the fold read it, and what is told.
func (r *Refold) Take(m bus.Message) (fold.Input, []Told) {
	d := decode(m)
	return d.in, r.step(d)
}

// decoded is a message, and what the fold reads in it.
type decoded struct {
	bus.Message
	in  fold.Input
	err error // it only carries the clock on
}

func decode(m bus.Message) decoded {
	in, err := fold.Decode(m)
	return decoded{m, in, err}
}

// step folds what is decoded and returns what is told.
func (r *Refold) step(m decoded) (told []Told) {
	if m.err != nil {
		r.Unreadable++
	}
	for _, p := range r.concerned(m.Subject) {
		if m.Seq <= r.folds[p].Seq() {
			continue // it was restored from behind it
		}
		for i, out := range r.folds[p].Step(m.in).Outputs {
			told = append(told, Told{Call: out.Call, Partition: p, At: bus.Position{In: m.Seq, Idx: i}, Stored: m.Stored, Trace: out.Trace})
		}
	}
	return told
}

// reads reports whether a partition reads a subject.
func (r *Refold) reads(p int, subject string) bool { return slices.Contains(r.concerned(subject), p) }

// concerned returns the partitions that read a subject.
func (r *Refold) concerned(subject string) []int {
	first, rest, _ := strings.Cut(subject, ".")
	if first == "feed" {
		all := make([]int, len(r.folds))
		for p := range all {
			all[p] = p
		}
		return all
	}
	token, _, _ := strings.Cut(rest, ".")
	if p, err := strconv.Atoi(token); first == "rte" && err == nil && p >= 0 && p < len(r.folds) {
		return []int{p}
	}
	return nil
}
