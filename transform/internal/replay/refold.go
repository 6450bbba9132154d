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
	Header    map[string][]string
	Body      []byte
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
func (r *Refold) Take(m bus.Message) (fold.Input, []Told, error) {
	in, err := fold.Decode(m)
	if err != nil {
		r.Unreadable++
	}
	var told []Told
	for _, p := range r.concerned(m.Subject) {
		for i, out := range r.folds[p].Step(in).Outputs {
			header, body, err := fold.Encode(out)
			if err != nil {
				return in, nil, err
			}
			told = append(told, Told{
				Call: out.Call, Partition: p, At: bus.Position{In: m.Seq, Idx: i}, Stored: m.Stored, Header: header, Body: body,
			})
		}
	}
	return in, told, nil
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
