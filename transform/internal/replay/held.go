package replay

import (
	"strings"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/stream"
)

// Held is one message of CALLS.
type Held struct {
	Seq     uint64 // in CALLS
	Subject string
	Header  map[string][]string
	Body    []byte
	At      bus.Position // in RTE, as its writer stated it
	Stated  bool         // false: no writer of ours
}

func held(m bus.Message) Held {
	h := Held{Seq: m.Seq, Subject: m.Subject, Header: m.Header, Body: m.Data}
	h.At, h.Stated = stream.PositionOf(m)
	return h
}

// id is the CloudEvents id: <callId>/<n>.
func id(header map[string][]string) string {
	if v := header["ce-id"]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// key is the token of the call in the subjects of its events.
func (h Held) key() string { return h.Subject[strings.LastIndexByte(h.Subject, '.')+1:] }

func (t Told) key() string { return topology.KeyToken(t.Call.CallID) }

// subject is what CALLS has the event under.
func (t Told) subject() string {
	e := t.Call
	return "calls." + strings.TrimPrefix(topology.CallEvent(t.Partition, e.OrganizationID, string(e.Type), e.CallID), topology.CallLogPrefix(t.Partition)+".ev.")
}
