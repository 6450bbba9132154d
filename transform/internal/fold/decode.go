package fold

import (
	"encoding/json"
	"fmt"
	"strings"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

// Decode reads a message of the raw stream. On an error the returned input
// still carries the clock on: such a message is counted and skipped.
func Decode(m bus.Message) (Input, error) {
	in := Input{Seq: m.Seq, Stored: m.Stored}
	if strings.HasPrefix(m.Subject, "feed.") {
		f, err := decodeFeed(m)
		in.Feed = f
		return in, err
	}
	r, arrival, err := event.DecodeRaw(m.Header, m.Data)
	if err != nil {
		return in, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	if err := oversize(&r); err != nil {
		return in, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	in.Raw, in.Recorded, in.Trace = &r, arrival.Recorded, arrival.Trace
	return in, nil
}

func decodeFeed(m bus.Message) (*event.Feed, error) {
	e, err := event.Decode(m.Header, m.Data)
	if err != nil {
		return nil, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	var f event.Feed
	if err := json.Unmarshal(e.Data(), &f); err != nil {
		return nil, fmt.Errorf("read feed event %d: %w", m.Seq, err)
	}
	return &f, nil
}
