//go:build linux

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// The calls of a roll: what the hub says of them, and what reapit-sim is shown.

const (
	arrivesBefore = 100 * time.Millisecond
	cancelsWithin = 100 * time.Millisecond
	branchNumber  = "+442071838700"
)

// shift is the calls that begin within a window, as a scenario of the hub.
type shift struct {
	window     time.Duration
	text       string
	raw        int // events
	deliveries int
	unmapped   int           // of these, to strangers
	calls      []plannedCall // as they stand in the text
}

// drawShift draws calls of as many raw events as are wanted. How many those of a
// mix have is known once they are drawn.
func drawShift(seed uint64, rate float64, window time.Duration, m mix, o office) shift {
	m.perSecond = rate
	trial := newShift(m.cues(rand.New(rand.NewPCG(seed, 11)), window, o), window, o)
	m.perSecond *= rate * window.Seconds() / float64(trial.raw)
	return newShift(m.cues(rand.New(rand.NewPCG(seed, 11)), window, o), window, o)
}

func newShift(cues []cue, window time.Duration, o office) shift {
	s := shift{window: window, deliveries: notifications(cues)}
	var text strings.Builder
	fmt.Fprintf(&text, "-- organization --\n%s\n-- users --\n", o.organization)
	for i, u := range append(slices.Clone(o.staff), o.stranger()) {
		fmt.Fprintf(&text, "%s id=%s userName=%s numbers=%s\n", u.UserName, u.UserID, u.UserName, numberOfUser(i))
	}
	calls, order := map[string][]cue{}, []string{}
	for _, c := range cues {
		id := c.call.CallID
		if calls[id] == nil {
			order = append(order, id)
		}
		calls[id] = append(calls[id], c)
		for _, u := range c.call.Audience {
			if o.negotiatorOf(u.UserID) == "" {
				s.unmapped++
			}
		}
	}
	for _, id := range order {
		lines := rawCall(calls[id], o)
		s.raw += len(lines) - 2
		s.calls = append(s.calls, newPlannedCall(calls[id], lines[2:]))
		text.WriteString(strings.Join(lines, "\n") + "\n")
	}
	s.text = text.String()
	return s
}

func numberOfUser(i int) string { return fmt.Sprintf("+4420794600%02d", i) }

// rawCall is one call as the hub tells of it: the heading, its settings and its events.
func rawCall(cues []cue, o office) []string {
	call, called := cues[0].call, branchNumber
	direct := len(call.Audience) == 1
	if direct {
		called = numberOfUser(slices.Index(o.staff, call.Audience[0]))
	}
	lines := []string{"-- call --", fmt.Sprintf("caller=%s called=%s start=%v", call.Caller, called, cues[0].at)}
	tell := func(at time.Duration, kind string, u event.User, more string) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("+%v %s user=%s %s", at, kind, u.UserName, more)))
	}
	for _, u := range call.Audience {
		if direct {
			tell(0, "UserCallInComing", u, "")
			tell(arrivesBefore, "UserCallInUserAllocated", u, "")
		} else {
			tell(0, "UserCallInUserAllocated", u, "")
		}
	}
	for _, c := range cues[1:] {
		at, who := c.at-cues[0].at, call.Audience[0] // who answers, if anybody does
		switch c.call.Type {
		case event.Answered:
			tell(at, "UserCallInUserConnected", who, "")
			tell(at+cancelsWithin, "UserStatus", who, "talking:=true")
			for _, u := range call.Audience[1:] {
				tell(at+cancelsWithin, "UserCallInUserCancelled", u, "reason=AnsweredElsewhere")
			}
		case event.Ended:
			tell(at, "UserCallInDisconnected", who, "reason=local")
			tell(at+cancelsWithin, "UserStatus", who, "talking:=false")
		case event.Missed:
			for _, u := range call.Audience {
				tell(at, "UserCallInUserCancelled", u, "reason=CallerHungUp")
			}
			tell(at+cancelsWithin, "UserCallInDisconnected", who, "reason=remote")
		}
	}
	return lines
}

// sights sorts what reapit-sim has accepted by windows, so that one can be compared
// with another: a notification is known by the place of its call in the window,
// its negotiator and its kind, and the order of each negotiator's in a call counts.
type sights struct {
	place map[string]int // of a call, in its window
	of    map[string]int // the window of a call
	lanes map[string]int
}

func newSights(windows []playing) *sights {
	s := &sights{map[string]int{}, map[string]int{}, map[string]int{}}
	for w, p := range windows {
		for i, id := range p.CallIDs {
			s.place[id], s.of[id] = i, w
		}
	}
	return s
}

// sort returns what was seen of each window, in the order in which it came.
func (s *sights) sort(requests []request, windows int) (seen [][]callEvent, found []finding) {
	seen = make([][]callEvent, windows)
	for _, r := range requests {
		if r.SubType == "" || !r.Accepted {
			continue
		}
		w, known := s.of[r.CallID]
		if !known {
			found = append(found, finding{where: reapitSide, kind: extraEvent, id: r.CallID, note: "nobody has called"})
			continue
		}
		for _, n := range r.NegotiatorIDs {
			lane := fmt.Sprintf("call %d of a window, %s", s.place[r.CallID]+1, n)
			if _, is := s.lanes[lane]; !is {
				s.lanes[lane] = len(s.lanes)
			}
			seen[w] = append(seen[w], callEvent{id: lane + ", " + r.SubType, partition: s.lanes[lane], body: shownOf(r)})
		}
	}
	return seen, found
}

// shownOf is what the agent sees but for the date.
func shownOf(r request) []byte {
	var body struct{ Payload payload }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return []byte(err.Error())
	}
	body.Payload.ID, body.Payload.Created = "", ""
	b, err := json.Marshal(body.Payload)
	if err != nil {
		panic(err) // strings and booleans
	}
	return b
}

// firstWhole is the first of some windows of which everything was shown, once: a host
// that is busy with the start of everything may be too slow for the one before it.
func (s *sights) firstWhole(seen [][]callEvent, want int) int {
	return slices.IndexFunc(seen, func(window []callEvent) bool {
		ids := map[string]bool{}
		for _, shown := range window {
			ids[shown.id] = true
		}
		return len(window) == want && len(ids) == want
	})
}

// since leaves out what is found of calls of earlier windows.
func (s *sights) since(window int, found []finding) []finding {
	return slices.DeleteFunc(found, func(f finding) bool {
		_, id, laned := strings.Cut(f.id, " ")
		w, known := s.of[id]
		return laned && known && w < window
	})
}

// unlike finds what the windows lack or have that the first has not or has.
func unlike(seen [][]callEvent) (found []finding) {
	for w, have := range seen[1:] {
		found = append(found, differences(fmt.Sprintf("%s, window %d", reapitSide, w+2), seen[0], have)...)
	}
	return found
}

// rings are how long incoming calls of some times took from the hub's making of the
// event to the arrival of the POST that was accepted.
func (e *evidence) rings(when ...span) (all []time.Duration) {
	stories, _ := e.stories()
	for _, s := range stories {
		for _, p := range s.posts {
			at := p.of.OccurredAt
			during := slices.ContainsFunc(when, func(w span) bool { return !at.Before(w.from) && at.Before(w.until) })
			if during && p.of.Type == event.Incoming && p.told() {
				all = append(all, p.Time.Sub(at))
			}
		}
	}
	slices.Sort(all)
	return all
}

// lateForTheHub finds posts that are behind their deadline if that is counted from
// the hub's event, so that what ingest was slow to hear counts too.
func (e *evidence) lateForTheHub() (found []finding) {
	stories, _ := e.stories()
	for _, s := range stories {
		for _, p := range s.posts {
			if by := p.Time.Sub(p.of.OccurredAt.Add(e.deadlines[p.of.Type])); by > 0 {
				found = append(found, s.finding(late, p, "counted from the hub's event, by "+by.String()))
			}
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return cmp.Compare(a.id+a.note, b.id+b.note) })
	return found
}

// uncovered finds call events that tell of a time in which nobody listened.
func (e *evidence) uncovered() (found []finding) {
	for _, s := range e.said {
		if s.Coverage != event.Complete {
			found = append(found, finding{where: "CALLS", kind: "in a gap", id: s.EventID(), note: string(s.Coverage)})
		}
	}
	return found
}
