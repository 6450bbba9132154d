package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"ringstream/schemas/event"
)

// parting is a call that differs, as a line of JSON: where the two sides part,
// and why.
type parting struct {
	Call        string         `json:"call"`
	Kind        Kind           `json:"kind"`
	Event       string         `json:"event"` // <callId>/<n>
	Type        event.CallType `json:"type"`
	Nth         int            `json:"nth"`
	RTE         uint64         `json:"rte,omitempty"` // position of what caused it, where known
	Cause       event.Cause    `json:"cause"`
	Why         string         `json:"why"`
	Fields      []Field        `json:"fields,omitempty"`
	Differences map[Kind]int   `json:"differences"` // of the whole call
}

func (p Parted) parting(other side) parting {
	d := p.Differences[0]
	e := d.event()
	line := parting{
		Call: cmp.Or(e.CallID, p.Key), Kind: d.Kind, Type: e.Type, Nth: d.Nth, RTE: p.at().In, Cause: e.Cause,
		Why: d.why(other), Fields: d.Fields, Differences: p.kinds(),
	}
	if line.Event = e.EventID(); d.Want == nil {
		line.Event = d.Have.ID
	}
	return line
}

// summed is the last line.
type summed struct {
	Verdict     string       `json:"verdict"`
	Calls       int          `json:"calls"` // compared
	Events      int          `json:"events"`
	Parted      int          `json:"parted"`      // calls that differ
	First       map[Kind]int `json:"first"`       // calls, by the kind of their first difference
	Differences map[Kind]int `json:"differences"` // all of them
	Groups      []likes      `json:"groups"`      // calls that part alike
	LeftOut     int          `json:"leftOut"`     // calls that may have begun before RTE's first message
	Behind      int          `json:"behind"`      // events that are not told yet
	Against     side         `json:"against"`
	RTE         reach        `json:"rte"`
}

// reach is what was read of RTE.
type reach struct {
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

// printJSON prints one line a call that differs, and then {"summary": ...}.
func (f findings) printJSON(w io.Writer, limit int) error {
	for _, p := range f.listed(limit) {
		if err := printLine(w, p.parting(f.side)); err != nil {
			return err
		}
	}
	return printLine(w, map[string]summed{"summary": {
		Verdict: f.verdict(), Calls: f.Calls, Events: f.Events, Parted: len(f.Parted), First: f.First(), Differences: f.Differences(), Groups: f.groups(),
		LeftOut: len(f.Cut), Behind: len(f.Behind), Against: f.side, RTE: reach{f.rte.First, f.rte.Last, f.rte.From, f.rte.To},
	}})
}

func printLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", b)
	}
	return err
}
