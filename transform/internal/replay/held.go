package replay

import (
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/stream"
)

// Held is one call event of the side that the fold is compared with: a message
// of CALLS, or a line that another binary has printed.
type Held struct {
	ID       string // <callId>/<n>
	Seq      uint64 // in CALLS, or number of the line
	Subject  string
	Header   map[string][]string
	Body     []byte
	At       bus.Position // in RTE, as its writer stated it
	Stated   bool         // false: no writer of ours, or a line
	Printed  bool         // a line, which has neither header nor position
	Recorded time.Time    // of a line: when what made it was heard of, if it says so
	Early    bool         // it was told before RTE's first message
	Same     *Told        // what the fold tells, if they are equal; then header and body are not kept
}

func held(m bus.Message) Held {
	h := Held{ID: id(m.Header), Seq: m.Seq, Subject: m.Subject, Header: m.Header, Body: m.Data}
	h.At, h.Stated = stream.PositionOf(m)
	return h
}

// beside compares it with what the fold tells under the same id. Most are equal,
// and millions of them are too much to keep.
func (h Held) beside(told *Told) (Held, error) {
	t, err := told.Encoded()
	if err != nil || len(fieldsThatDiffer(t, h)) > 0 {
		return h, err
	}
	h.Same, h.Header, h.Body = told, nil, nil
	return h, nil
}

// id is the CloudEvents id: <callId>/<n>.
func id(header map[string][]string) string {
	if v := header["ce-id"]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (t Told) id() string { return t.Call.EventID() }

// key is the token of the call in the subjects of its events.
func (h Held) key() string { return h.Subject[strings.LastIndexByte(h.Subject, '.')+1:] }

func (t Told) key() string { return topology.KeyToken(t.Call.CallID) }

// subject is what CALLS has the event under.
func (t Told) subject() string {
	e := t.Call
	return "calls." + strings.TrimPrefix(topology.CallEvent(t.Partition, e.OrganizationID, string(e.Type), e.CallID), topology.CallLogPrefix(t.Partition)+".ev.")
}
