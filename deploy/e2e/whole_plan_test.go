//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// The checker of a whole run that goes by the plan of its calls, and by nothing that
// folds: what RTE holds whole, CALLS must tell of as it was meant, and whoever is
// rung must be shown it.

// plannedCall is a call as it is meant to go.
type plannedCall struct {
	cues   []cue
	events int // of the call, that the hub tells
}

func newPlannedCall(cues []cue, lines []string) plannedCall {
	p := plannedCall{cues: slices.Clone(cues)}
	for i, c := range cues {
		p.cues[i].call.HuntGroup = len(c.call.Audience) > 1 // a stranger among them is one more person
	}
	for _, l := range lines {
		if !strings.Contains(l, " UserStatus ") { // which is of a user
			p.events++
		}
	}
	return p
}

// The kinds of a finding of this checker.
const (
	notAsPlanned   = "told otherwise than planned"
	notShown       = "not shown in time, though nothing was hurt"
	baselessLetter = "a dead letter of what nobody has refused"
	afterOutcome   = "posted after its outcome was recorded"
)

// besideAGap is how far from a gap a call must keep: what is remembered of a call
// while nobody listens may be given up for some seconds.
const besideAGap = 5 * time.Second

// asPlanned finds calls of which CALLS tells something else than was planned, among
// those whose events RTE has all, in the hub's order, and beside no gap; of these
// there are so many.
func asPlanned(plan map[string]plannedCall, h *history, gaps []span, told []said) (found []finding, whole int) {
	sent, stored, lives := h.byCall()
	says := map[string]map[string]int{}
	for _, s := range told {
		if says[s.CallID] == nil {
			says[s.CallID] = map[string]int{}
		}
		for _, u := range s.Audience {
			says[s.CallID][sight(s.Call, u)]++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(plan)) {
		key := topology.KeyToken(id)
		if p := plan[id]; len(stored[key]) != p.events || !slices.Equal(sent[key], stored[key]) || slices.ContainsFunc(gaps, func(g span) bool {
			return g.from.Before(lives[key].until.Add(besideAGap)) && g.until.After(lives[key].from.Add(-besideAGap))
		}) {
			continue
		}
		whole++
		want := map[string]int{}
		for _, c := range plan[id].cues {
			for _, u := range c.call.Audience {
				want[sight(c.call, u)]++
			}
		}
		if !maps.Equal(want, says[id]) {
			found = append(found, finding{where: topology.Calls, kind: notAsPlanned, id: id, note: fmt.Sprintf("%v, planned is %v", says[id], want)})
		}
	}
	return found, whole
}

// sight is what a call event is to one of its audience. Whether more than one person has
// rung is not known before the second one rings.
func sight(c event.Call, u event.User) string {
	by := ""
	if c.AnsweredBy != nil {
		by = c.AnsweredBy.UserID
	}
	return fmt.Sprint(c.Type, " to ", u.UserID, " in ", c.OrganizationID, " from ", c.Caller, " by ", by, ", several ", c.HuntGroup && c.Type != event.Incoming)
}

// byCall are the events of each call as the hub first sent them and as RTE has them,
// and from when to when they were sent.
func (h *history) byCall() (sent, stored map[string][]string, lives map[string]span) {
	sent, stored, lives = map[string][]string{}, map[string][]string{}, map[string]span{}
	known := map[string]bool{}
	for _, s := range h.sent {
		if call := h.calls[s.ID]; call != "" && !known[s.ID] {
			known[s.ID] = true
			sent[call] = append(sent[call], s.ID)
			l, is := lives[call]
			if !is {
				l.from = s.Time
			}
			l.until = s.Time
			lives[call] = l
		}
	}
	for _, id := range h.stored {
		stored[h.calls[id]] = append(stored[h.calls[id]], id)
	}
	return sent, stored, lives
}

// shownWithin is before the second ring.
const shownWithin = 5 * time.Second

// silent finds those who were rung while nothing was hurt, for longer than this, and
// were not shown it in this time, counted from the hub's event.
func (e *evidence) silent(rest span) (found []finding) {
	stories, _ := e.stories()
	for _, s := range stories {
		ev := s.event(event.Incoming)
		if ev == nil || ev.OccurredAt.Before(rest.from) || ev.OccurredAt.Add(shownWithin).After(rest.until) {
			continue
		}
		by := ev.OccurredAt.Add(shownWithin)
		goesOn := func(until time.Time) bool { return until.IsZero() || until.After(by) }
		if !goesOn(s.over()) || !goesOn(s.elsewhere(e)) || s.own(e) && !goesOn(s.event(event.Answered).stored) {
			continue
		}
		if !slices.ContainsFunc(s.posts, func(p posted) bool { return p.of == ev && !p.Time.After(by) }) {
			found = append(found, finding{where: reapitSide, kind: notShown, id: s.String(), note: "which rang at " + ev.OccurredAt.Format(clock)})
		}
	}
	return found
}

// baseless finds dead letters of notifications that Reapit did not refuse for good, and
// of anything else: this hub says nothing that cannot be read.
func (e *evidence) baseless() (found []finding) {
	refused := map[string]bool{}
	stories, _ := e.stories()
	for _, s := range stories {
		for _, p := range s.posts {
			if e.rejecting(p.request) {
				refused[deliveryOf(p.of.EventID(), s.customer, s.negotiator)] = true
			}
		}
	}
	for _, l := range e.letters {
		if key := deliveryOf(l.EventID, l.Customer, l.NegotiatorID); !refused[key] {
			found = append(found, finding{where: outcomeLog, kind: baselessLetter, id: key, note: l.Service + ", " + l.Reason + ": " + l.Detail})
		}
	}
	return found
}

func deliveryOf(eventID, customer, negotiator string) string {
	return eventID + " for " + customer + "/" + negotiator
}

// afterwards finds posts of what had its outcome already.
func (e *evidence) afterwards() (found []finding) {
	stories, _ := e.stories()
	for _, s := range stories {
		for _, p := range s.posts {
			if at := e.recorded[deliveryOf(p.of.EventID(), s.customer, s.negotiator)]; !at.IsZero() && p.Time.Sub(at) > clocksWithin {
				found = append(found, s.finding(afterOutcome, p, "by "+p.Time.Sub(at).String()))
			}
		}
	}
	return found
}
