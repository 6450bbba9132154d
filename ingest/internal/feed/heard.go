package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

const (
	enough     = 1000 // events are told before their time
	unsaidRoom = 4 * enough
	nameRoom   = 128 // bytes of an id or a name that is told
	// HeardRoom is how large a message may be that tells what was heard.
	HeardRoom = 256 << 10
)

// errHuge means that a message tells more than a replica would.
var errHuge = errors.New("too large")

// unsaid is what one connection has brought since the others were told.
type unsaid struct {
	epoch  string
	after  time.Time // when a ping left that had been answered before the first of them came
	events []heardEvent
}

type heardEvent struct{ entityID, eventType, id string }

// gather keeps what the others are to be told. What cannot be told is dropped:
// an audit may miss something.
func (w *Writer) gather(r event.Raw) {
	if w.heard == nil {
		return
	}
	u := &w.unsaid
	if len(u.events) == 0 || u.epoch != w.now.Epoch {
		_, answered := w.heard()
		*u = unsaid{w.now.Epoch, answered, u.events[:0]}
	}
	if u.after.IsZero() || len(u.events) >= unsaidRoom || !tellable(r) {
		return
	}
	u.events = append(u.events, heardEvent{r.EntityID, r.EventType, r.ID})
	if len(u.events) == enough {
		select {
		case w.enough <- struct{}{}:
		default:
		}
	}
}

// tellable reports whether another replica can find out that it lacks the event.
func tellable(r event.Raw) bool {
	return r.EntityID != "" && r.EventType != "" && !event.HasFallbackID(r.ID) && max(len(r.EntityID), len(r.EventType), len(r.ID)) <= nameRoom
}

// Enough tells that so much was heard that the others should be told at once.
func (w *Writer) Enough() <-chan struct{} { return w.enough }

// Unsaid returns what was heard since it was asked last, as messages for the
// other replicas, none larger than most.
func (w *Writer) Unsaid(most int) ([]*nats.Msg, error) {
	w.turn.Lock()
	u := w.unsaid
	w.unsaid = unsaid{events: make([]heardEvent, 0, len(u.events))}
	w.turn.Unlock()
	return w.messages(u, min(most, HeardRoom))
}

// messages halves what is too much for one message.
func (w *Writer) messages(u unsaid, most int) ([]*nats.Msg, error) {
	if len(u.events) == 0 {
		return nil, nil
	}
	m, err := w.message(u)
	if err != nil {
		return nil, err
	}
	half := len(u.events) / 2
	switch {
	case m.Size() <= most:
		return []*nats.Msg{m}, nil
	case half == 0:
		return nil, nil
	}
	first, err1 := w.messages(unsaid{u.epoch, u.after, u.events[:half]}, most)
	second, err2 := w.messages(unsaid{u.epoch, u.after, u.events[half:]}, most)
	return append(first, second...), errors.Join(err1, err2)
}

func (w *Writer) message(u unsaid) (*nats.Msg, error) {
	h := event.Heard{Instance: w.instance, Epoch: u.epoch, After: u.after.UTC(), Items: items(u.events)}
	e, err := event.NewHeard(h, w.start, w.tellings.Add(1), time.Now().UTC())
	if err != nil {
		return nil, err
	}
	header, body, err := event.Encode(e)
	if err != nil {
		return nil, fmt.Errorf("encode what was heard: %w", err)
	}
	return &nats.Msg{Subject: topology.Heard(w.instance), Header: header, Data: body}, nil
}

// items are the events by what they are about, in the order in which they came.
func items(events []heardEvent) (all []event.HeardItem) {
	at := map[heardEvent]int{}
	for _, e := range events {
		about := heardEvent{entityID: e.entityID, eventType: e.eventType}
		i, known := at[about]
		if !known {
			i, at[about] = len(all), len(all)
			all = append(all, event.HeardItem{EntityID: e.entityID, EventType: e.eventType})
		}
		all[i].IDs = append(all[i].IDs, e.id)
	}
	return all
}

// Told takes in what a replica said, this one or another. An earlier start under
// the same name is another; this one's own it has heard. What tells something
// else than what was heard is passed over.
func (w *Writer) Told(m *nats.Msg) error {
	if event.Attribute(m.Header, "type") != event.HeardType || strings.HasPrefix(event.Attribute(m.Header, "id"), event.HeardIDs(w.instance, w.start)) {
		return nil
	}
	if len(m.Data) > HeardRoom {
		return fmt.Errorf("read what was heard: %w: %d bytes", errHuge, len(m.Data))
	}
	var h event.Heard
	if err := json.Unmarshal(m.Data, &h); err != nil {
		return fmt.Errorf("read what was heard: %w", err)
	}
	w.turn.Lock()
	defer w.turn.Unlock()
	w.audit.Told(h, time.Now())
	return nil
}
