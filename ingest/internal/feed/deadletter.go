package feed

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// TooLarge is the reason of a message that no stream takes.
const TooLarge = "too-large"

// NotReadable is the reason of what waited in the spool and is no message.
const NotReadable = "spool-unreadable"

const (
	service = "ingest"
	// A dead letter must fit where the message did not: base64 of this much,
	// under the server's default max_payload of 1 MiB. What is longer takes
	// several.
	bodyKept = 256 << 10
)

// DeadLetters makes the dead letters of a message that the stream refused for
// good: one for each part of its body.
func DeadLetters(m bus.Outgoing, refusal error) ([]bus.Outgoing, error) {
	id := m.Header.Get(jetstream.MsgIDHeader)
	raw, _ := event.ParseRaw(m.Data) // what cannot be read has a fallback id
	return letters(event.DeadLetter{
		Service: service, Reason: TooLarge, At: time.Now().UTC(), EventID: raw.ID, CallID: raw.CallID,
		Detail: fmt.Sprintf("%d bytes for %s cannot be stored (%v)", len(m.Data), m.Subject, refusal),
	}, m.Data, id+"/"+TooLarge, header(m, event.ExtTraceParent))
}

// Unreadable makes the dead letter of something that waited in the spool and is
// no message. It keeps the beginning.
func Unreadable(packed []byte, why error) bus.Outgoing {
	all, err := letters(event.DeadLetter{Service: service, Reason: NotReadable, At: time.Now().UTC(), Detail: why.Error()},
		packed[:min(len(packed), bodyKept)], event.FallbackID(packed)+"/"+NotReadable, "")
	if err != nil {
		return bus.Outgoing{}
	}
	return all[0]
}

// letters makes the dead letters of a body, in the order of its parts.
func letters(d event.DeadLetter, body []byte, id, trace string) ([]bus.Outgoing, error) {
	parts := [][]byte{nil}
	if len(body) > 0 {
		parts = slices.Collect(slices.Chunk(body, bodyKept))
	}
	all := make([]bus.Outgoing, 0, len(parts))
	detail := d.Detail
	for i, part := range parts {
		d.Body = part
		partID := id
		if len(parts) > 1 {
			d.Detail = fmt.Sprintf("%s; part %d of %d, from byte %d", detail, i+1, len(parts), i*bodyKept)
		}
		if i > 0 {
			partID = fmt.Sprintf("%s/%d", id, i+1)
		}
		e, err := event.NewDeadLetter(d, partID, trace)
		if err != nil {
			return nil, err
		}
		m, err := outgoing(e, topology.DeadLetter(service, d.Reason), topology.DeadLetter(service, "*"), e.ID())
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func header(m bus.Outgoing, extension string) string { return m.Header.Get("ce-" + extension) }
