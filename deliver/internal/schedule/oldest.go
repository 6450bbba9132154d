package schedule

import (
	"time"

	"ringstream/schemas/event"
)

// Oldest is when ringstream heard of the oldest delivery of each type that waits
// or is under way, as of the last Next. It looks at all of them.
func (s *Schedule) Oldest() map[event.CallType]time.Time {
	oldest := map[event.CallType]time.Time{}
	look := func(lanes []*lane) {
		for _, l := range lanes {
			for _, d := range l.Queue {
				if first, known := oldest[d.Call.Type]; !known || d.Heard().Before(first) {
					oldest[d.Call.Type] = d.Heard()
				}
			}
		}
	}
	look(s.agenda.wake.all)
	for _, f := range s.flying {
		look(f.lanes)
	}
	return oldest
}
