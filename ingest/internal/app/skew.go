package app

import "time"

// skew measures how far the hub's clock is from ours: the least time between
// an event's Timestamp and its arrival, of the last minute. The way of the
// quickest is a few milliseconds long; what is slow, or happened before it was
// told, hides behind it. It has no clock.
type skew struct {
	slots [slots]slot
	last  time.Time // newest arrival
	far   bool      // beyond tolerable, as told last
}

// slot has the least of a part of the minute.
type slot struct {
	begin time.Time
	least time.Duration
}

const (
	slots     = 12
	slotSpan  = 5 * time.Second
	tolerable = 5 * time.Second
	credible  = 24 * time.Hour // what is further away is no time at all, as for transform
)

// arrived takes in an event. It reports false where the event has no time to
// compare.
func (s *skew) arrived(at, stamp time.Time) bool {
	least := at.Sub(stamp)
	if stamp.IsZero() || least.Abs() > credible {
		return false
	}
	s.last = at
	begin := at.Truncate(slotSpan)
	slot := &s.slots[begin.Unix()/int64(slotSpan/time.Second)%slots]
	if !slot.begin.Equal(begin) {
		slot.begin, slot.least = begin, least
	}
	slot.least = min(slot.least, least)
	return true
}

// value is how far the hub's clock is behind ours, as far as the newest event
// and those of the minute before it tell; below zero it is ahead.
func (s *skew) value() time.Duration {
	least, found := time.Duration(0), false
	for _, slot := range s.slots {
		if s.last.Sub(slot.begin) >= slots*slotSpan || slot.begin.IsZero() {
			continue
		}
		if !found || slot.least < least {
			least, found = slot.least, true
		}
	}
	return least
}

// turned reports whether the clock has gone too far since it was asked last,
// or has come back.
func (s *skew) turned() bool {
	far := s.value().Abs() > tolerable
	turned := far != s.far
	s.far = far
	return turned
}
