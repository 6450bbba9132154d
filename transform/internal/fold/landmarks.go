package fold

import (
	"fmt"
	"slices"
	"time"
)

// Mark is one message of the raw stream: where it is and when it was stored.
// No two messages agree in both.
type Mark struct {
	Seq    uint64    `json:"seq"`
	Stored time.Time `json:"stored"`
}

// landmarks are messages of its partition that the log was made from: the
// newest input of its snapshot and that of its newest message. A raw stream
// without them is another one, and its events must not be taken for folded.
type landmarks struct {
	partition int
	ahead     []Mark // not passed yet, and not expired
}

// pass compares a message, read in order, with the landmarks.
func (l *landmarks) pass(m Mark) error {
	for _, mark := range l.ahead {
		if m.Seq > mark.Seq || m.Seq == mark.Seq && !m.Stored.Equal(mark.Stored) {
			return fmt.Errorf("%w (partition %d: message %d, stored at %s, is not there)", ErrRecreated, l.partition, mark.Seq,
				mark.Stored.Format(time.RFC3339Nano))
		}
	}
	l.ahead = slices.DeleteFunc(l.ahead, func(mark Mark) bool { return mark.Seq == m.Seq })
	return nil
}
