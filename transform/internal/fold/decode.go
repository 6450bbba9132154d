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
	e, err := event.Decode(m.Header, m.Data)
	if err != nil {
		return in, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	if strings.HasPrefix(m.Subject, "feed.") {
		var f event.Feed
		if err := json.Unmarshal(e.Data(), &f); err != nil {
			return in, fmt.Errorf("read feed event %d: %w", m.Seq, err)
		}
		in.Feed = &f
		return in, nil
	}
	r, err := event.ParseRaw(e.Data())
	if err != nil {
		return in, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	if err := oversize(&r); err != nil {
		return in, fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	in.Raw = &r
	recorded, _ := e.Extensions()[event.ExtRecordedTime].(string)
	in.Recorded, _ = event.ParseTime(recorded)
	in.Trace, _ = e.Extensions()[event.ExtTraceParent].(string)
	return in, nil
}
