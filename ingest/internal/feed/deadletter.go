package feed

import (
	"fmt"
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
	// under the server's default max_payload of 1 MiB.
	bodyKept = 256 << 10
)

// DeadLetter makes the dead letter of a message that the stream refused for
// good. It keeps the beginning of the body.
func DeadLetter(m bus.Outgoing, refusal error) (bus.Outgoing, error) {
	id := m.Header.Get(jetstream.MsgIDHeader)
	raw, _ := event.ParseRaw(m.Data) // what cannot be read has a fallback id
	kept := m.Data[:min(len(m.Data), bodyKept)]
	e, err := event.NewDeadLetter(event.DeadLetter{
		Service: service, Reason: TooLarge, At: time.Now().UTC(), EventID: raw.ID, CallID: raw.CallID, Body: kept,
		Detail: fmt.Sprintf("%d bytes for %s cannot be stored (%v); the first %d are kept here", len(m.Data), m.Subject, refusal, len(kept)),
	}, id+"/"+TooLarge, header(m, event.ExtTraceParent))
	if err != nil {
		return bus.Outgoing{}, err
	}
	return outgoing(e, topology.DeadLetter(service, TooLarge), topology.DeadLetter(service, "*"), e.ID())
}

// Unreadable makes the dead letter of something that waited in the spool and is
// no message.
func Unreadable(packed []byte, why error) bus.Outgoing {
	kept := packed[:min(len(packed), bodyKept)]
	e, err := event.NewDeadLetter(event.DeadLetter{
		Service: service, Reason: NotReadable, At: time.Now().UTC(), Body: kept, Detail: why.Error(),
	}, event.FallbackID(packed)+"/"+NotReadable, "")
	if err != nil {
		return bus.Outgoing{}
	}
	m, _ := outgoing(e, topology.DeadLetter(service, NotReadable), topology.DeadLetter(service, "*"), e.ID())
	return m
}

func header(m bus.Outgoing, extension string) string { return m.Header.Get("ce-" + extension) }
