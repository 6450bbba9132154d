package rtesim

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// template is an event that is composed once and then varied, because composing
// costs more than a socket does. What varies is composed as marks, which no
// other value can be, and cut out again.
type template struct {
	occurrence
	literals [][]byte // one more than slots
	slots    []slot
}

type slot int

const (
	slotID   slot = iota
	slotCall      // and on, as call.identity has them
	slotLeg
	slotAgentLeg
	slotTime
	slotNumber
	slotCount
)

// variation is one event's own values.
type variation struct {
	id     string
	call   []field // its identity, in the order of the slots
	at     time.Time
	number int
}

func newTemplate(d Directory, spec eventSpec, numbered bool) (template, error) {
	var marks [slotCount]string
	for i := range marks {
		marks[i] = `"` + uuid.NewString() + `"`
	}
	mark := func(name string, s slot) field { return field{name, json.RawMessage(marks[s])} }
	own := []field{
		mark("callId", slotCall), mark("legId", slotLeg), mark("agentLegId", slotAgentLeg),
		mark("id", slotID), mark("timestamp", slotTime),
	}
	if numbered {
		spec.fields = append([]field{mark("seq", slotNumber)}, spec.fields...)
	}
	o, err := d.compose(spec, nil, own, time.Time{})
	if err != nil {
		return template{}, err
	}
	t := template{occurrence: o}
	if string(quote(o.id)) == marks[slotID] {
		t.id = "" // not chosen by the sender: each its own
	}
	rest := []byte(o.data)
	for {
		at, s := firstMark(rest, marks[:])
		if at < 0 {
			break
		}
		t.literals, t.slots = append(t.literals, rest[:at]), append(t.slots, s)
		rest = rest[at+len(marks[s]):]
	}
	t.literals = append(t.literals, rest)
	return t, nil
}

func firstMark(b []byte, marks []string) (at int, s slot) {
	at = -1
	for i, m := range marks {
		if j := bytes.Index(b, []byte(m)); j >= 0 && (at < 0 || j < at) {
			at, s = j, slot(i)
		}
	}
	return at, s
}

// vary makes one event of the template.
func (t template) vary(v variation) occurrence {
	o := t.occurrence
	if o.id == "" {
		o.id = v.id
	}
	data := make([]byte, 0, len(o.data)+16)
	for i, s := range t.slots {
		data = append(data, t.literals[i]...)
		data = append(data, v.value(s)...)
	}
	o.data = append(data, t.literals[len(t.slots)]...)
	return o
}

func (v variation) value(s slot) []byte {
	switch s {
	case slotID:
		return quote(v.id)
	case slotNumber:
		return strconv.AppendInt(nil, int64(v.number), 10)
	case slotTime:
		return quote(dotnetTime(v.at))
	default:
		return v.call[s-slotCall].value
	}
}
