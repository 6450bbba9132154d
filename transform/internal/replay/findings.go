package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/stream"
)

// side is what the fold is compared with.
type side string

const (
	sideCalls side = "CALLS"
	sideFile  side = "FILE" // what another binary has printed
)

// findings are what a comparison found, and of what.
type findings struct {
	Report
	side   side
	upTo   string // how much of the other side was read
	rte    stream.Span
	limits call.Limits
	short  bool // all that differs is missing behind the other side's last event
}

// verdict is a word or a few.
func (f findings) verdict() string {
	switch {
	case len(f.Parted) > 0:
		return "different"
	case len(f.Behind) > 0:
		return "equal so far"
	default:
		return "equal"
	}
}

// listed are the calls to name; no limit is 0.
func (f findings) listed(limit int) []Parted {
	if limit == 0 {
		return f.Parted
	}
	return f.Parted[:min(limit, len(f.Parted))]
}

// endsShort reports whether the other side agrees as far as it goes.
func endsShort(r Report, want []Told) bool {
	missing := map[string]bool{}
	for _, p := range r.Parted {
		for _, d := range p.Differences {
			if d.Kind != Missing {
				return false
			}
			missing[d.Want.id()] = true
		}
	}
	for _, t := range want[max(0, len(want)-len(missing)):] {
		if !missing[t.id()] {
			return false
		}
	}
	return len(missing) > 0
}

// likes are calls that part at like events.
type likes struct {
	Where string `json:"where"` // such as "missing answered", or "different ended (audience)"
	Calls int    `json:"calls"`
}

// groups puts the calls together that part alike, the largest group first.
func (f findings) groups() []likes {
	calls := map[string]int{}
	for _, p := range f.Parted {
		calls[p.Differences[0].where()]++
	}
	all := make([]likes, 0, len(calls))
	for where, n := range calls {
		all = append(all, likes{where, n})
	}
	slices.SortFunc(all, func(a, b likes) int { return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Where, b.Where)) })
	return all
}

func (d Difference) where() string {
	where := fmt.Sprintf("%s %s", d.Kind, d.event().Type)
	if len(d.Fields) > 0 {
		where += " (" + d.fieldNames() + ")"
	}
	return where
}

// event is what the difference is about, as the fold tells it, or else as the
// other side has it.
func (d Difference) event() event.Call {
	if d.Want != nil {
		return d.Want.Call
	}
	e, _ := d.Have.call() // what cannot be read says nothing
	return e
}

// call reads the event that is held.
func (h *Held) call() (e event.Call, err error) {
	if h.Same != nil {
		return h.Same.Call, nil
	}
	body := h.Body
	if !h.Printed {
		cloud, err := event.Decode(h.Header, h.Body)
		if err != nil {
			return e, err
		}
		body = cloud.Data()
	}
	err = json.Unmarshal(body, &e)
	return e, err
}

func (d Difference) fieldNames() string {
	names := make([]string, len(d.Fields))
	for i, f := range d.Fields {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// why says what is wrong with it.
func (d Difference) why(other side) string {
	switch {
	case d.Kind == Missing && other == sideFile:
		return "the other binary does not tell it"
	case d.Kind == Missing:
		return "transform has folded past it, but CALLS does not hold it"
	case d.Kind == Misplaced:
		return string(other) + " holds it behind a later event of the same call"
	case d.Kind == Doubled:
		return string(other) + " holds it twice"
	case d.Kind == Changed:
		return "the same event with other content: " + d.fieldNames()
	case d.Have.Printed:
		return "this binary does not tell it"
	case !d.Have.Stated:
		return "it states no position in RTE (X-In), so transform did not write it"
	default:
		return fmt.Sprintf("nothing in RTE up to %d makes the fold tell it", d.Have.At.In)
	}
}
