package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// The checker of what deliver did.

// Where something is found.
const (
	reapitSide = "reapit-sim"
	outcomeLog = "DELIVERIES"
)

// The kinds of a finding, besides those of the checker of transform.
const (
	wrongCustomer   = "at the wrong customer"
	wrongContent    = "says what it ought not to"
	late            = "after its deadline"
	afterTheEnd     = "shown after the end"
	elsewhereFirst  = "shown after somebody else's answer"
	neverShown      = "ends what was never shown"
	postedTwice     = "posted again after an acceptance"
	overlapping     = "posted while the one before was under way"
	overTheRate     = "over the rate"
	overConcurrency = "over the concurrency"
	limited         = "refused for a limit"
	undelivered     = "not delivered"
	noLetter        = "without a dead letter"
	untrue          = "recorded otherwise than answered"
	unjustified     = "recorded without a reason"
)

const (
	// overtakenWithin is how long deliver has to hear of the end of a call.
	overtakenWithin = 250 * time.Millisecond
	// appendedWithin is how long an answer takes to become a record: one that
	// came so shortly before a kill may have none.
	appendedWithin = 100 * time.Millisecond
	// givenUp is the part of a deadline, its last, in which a delivery may be given
	// up: what is tried again after it would be late.
	givenUp = 8
	// clocksWithin is what two looks at one clock may differ by.
	clocksWithin = 20 * time.Millisecond
)

// check finds what breaks a promise.
func (e *evidence) check() []finding {
	stories, found := e.stories()
	keys := make([]laneKey, 0, len(stories))
	for k := range stories {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b laneKey) int { return cmp.Compare(a.String(), b.String()) })
	for _, k := range keys {
		s := stories[k]
		found = slices.Concat(found, e.inOrder(s), e.inTime(s), e.once(s), e.content(s), e.closed(s), e.honest(s), e.missedArrive(s))
	}
	return slices.Concat(found, e.accounted(), e.withinLimits())
}

// accounted finds deliveries that have not exactly one outcome.
func (e *evidence) accounted() (found []finding) {
	want, got := map[string]string{}, map[string]int{}
	for _, s := range e.said {
		for _, u := range s.Audience {
			customer, negotiator := e.whoIs(s.Call, u.UserID)
			want[s.EventID()+" "+u.UserID] = customer + "/" + negotiator
		}
	}
	for _, o := range e.outcomes {
		for _, u := range o.Users {
			key := o.EventID + " " + u.UserID
			got[key]++
			switch lane, asked := want[key]; {
			case !asked:
				found = append(found, finding{where: outcomeLog, kind: extraEvent, id: key, note: string(o.Outcome)})
			case lane != o.Customer+"/"+o.NegotiatorID:
				found = append(found, finding{where: outcomeLog, kind: wrongCustomer, id: key, note: o.Customer + "/" + o.NegotiatorID + ", want " + lane})
			case (o.NegotiatorID == "") != (o.Outcome == event.Unmapped):
				found = append(found, finding{where: outcomeLog, kind: untrue, id: key, note: string(o.Outcome)})
			}
		}
	}
	for key := range want {
		switch n := got[key]; {
		case n == 0:
			found = append(found, finding{where: outcomeLog, kind: missingEvent, id: key})
		case n > 1:
			found = append(found, finding{where: outcomeLog, kind: doubledEvent, id: key, note: fmt.Sprintf("%d times", n)})
		}
	}
	return found
}

// inOrder finds posts behind one of a later event, and before the end of another.
func (e *evidence) inOrder(s *laneStory) (found []finding) {
	for i, p := range s.posts {
		if i == 0 {
			continue
		}
		before := s.posts[i-1]
		if p.of.Sequence < before.of.Sequence {
			found = append(found, s.finding(misplaced, p, "behind "+before.SubType))
		}
		if before.Done && p.Time.Before(before.end().Add(-clocksWithin)) {
			found = append(found, s.finding(overlapping, p, fmt.Sprintf("request %d ended %v later", before.Number, before.end().Sub(p.Time))))
		}
	}
	return found
}

func (s *laneStory) finding(kind string, p posted, note string) finding {
	return finding{where: reapitSide, kind: kind, id: s.String(), note: fmt.Sprintf("%s, request %d: %s", p.SubType, p.Number, note)}
}

// inTime finds posts that came too late to be true.
func (e *evidence) inTime(s *laneStory) (found []finding) {
	over, elsewhere := s.over(), s.elsewhere(e)
	for _, p := range s.posts {
		if late1 := p.Time.Sub(p.of.RecordedAt.Add(e.deadlines[p.of.Type])); late1 > e.clocks {
			found = append(found, s.finding(late, p, "by "+late1.String()))
		}
		pop := p.of.Type == event.Incoming || p.of.Type == event.Answered
		if pop && e.behind(p, over) {
			found = append(found, s.finding(afterTheEnd, p, "by "+p.Time.Sub(over).String()))
		}
		if p.of.Type == event.Incoming && e.behind(p, elsewhere) {
			found = append(found, s.finding(elsewhereFirst, p, "by "+p.Time.Sub(elsewhere).String()))
		}
	}
	return found
}

// behind reports whether a post came after something that whoever sent it had to
// know: it could hear of it for long enough.
func (e *evidence) behind(p posted, at time.Time) bool {
	if at.IsZero() {
		return false
	}
	return slices.ContainsFunc(without(span{at, p.Time}, e.deaf), func(heard span) bool {
		return heard.until.Sub(heard.from) > overtakenWithin+e.slow
	})
}

// once finds posts of what deliver had been told is accepted, unless it was
// killed before it could know, or write it down.
func (e *evidence) once(s *laneStory) (found []finding) {
	for _, again := range s.again() {
		if !e.hit(again.first) && !e.reigned(again.first, again.second.Time) {
			found = append(found, s.finding(postedTwice, again.second, fmt.Sprintf("request %d was answered with %d", again.first.Number, again.first.Status)))
		}
	}
	return found
}

// repetition is two posts of one event, the first of which was answered with success.
type repetition struct{ first, second posted }

func (s *laneStory) again() (all []repetition) {
	told := map[*said]posted{}
	for _, p := range s.posts {
		if first, ok := told[p.of]; ok {
			all = append(all, repetition{first, p})
		}
		if p.told() {
			told[p.of] = p
		}
	}
	return all
}

// doubles are the notifications that an agent was shown more than once, with
// the post that was shown first.
func (s *laneStory) doubles() (all []repetition) {
	shown := map[*said]posted{}
	for _, p := range s.posts {
		if !p.Accepted {
			continue
		}
		if first, ok := shown[p.of]; ok {
			all = append(all, repetition{first, p})
		}
		shown[p.of] = p
	}
	return all
}

// hit reports whether a request was under way at a kill, or had ended just before.
func (e *evidence) hit(p posted) bool {
	return slices.ContainsFunc(e.kills, func(k span) bool {
		return !p.Time.After(k.until) && !p.end().Before(k.from.Add(-appendedWithin))
	})
}

// reigned reports whether somebody began to deliver, who may not have known of a
// request, after it had come and until then.
func (e *evidence) reigned(p posted, until time.Time) bool {
	return slices.ContainsFunc(e.reigns, func(r span) bool { return r.until.After(p.Time) && r.from.Before(until) })
}

// content finds posts that say something else than the event.
func (e *evidence) content(s *laneStory) (found []finding) {
	for _, p := range s.posts {
		var body struct{ Payload payload }
		if err := json.Unmarshal(p.Body, &body); err != nil {
			found = append(found, s.finding(wrongContent, p, err.Error()))
			continue
		}
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		got := fmt.Sprint(body.Payload.Created, " ", body.Payload.CallerID, " ", body.Payload.HuntGroup != nil && *body.Payload.HuntGroup, " ", text(body.Payload.AnsweredByID))
		if want := e.wanted(p.of); got != want {
			found = append(found, s.finding(wrongContent, p, got+", want "+want))
		}
	}
	return found
}

func (e *evidence) wanted(c *said) string {
	by := ""
	if c.AnsweredBy != nil {
		_, by = e.whoIs(c.Call, c.AnsweredBy.UserID)
	}
	return fmt.Sprint(c.OccurredAt.UTC().Format("2006-01-02T15:04:05Z"), " ", strings.Replace(c.Caller, "+44", "0", 1), " ", c.HuntGroup, " ", by)
}

// closed finds answers and ends that were told to somebody who cannot have been
// shown the call. After a kill, and of what did not get through, nobody knows
// what was shown.
func (e *evidence) closed(s *laneStory) (found []finding) {
	shown := len(e.kills) > 0 || e.partial
	for _, p := range s.posts {
		shows := p.of.Type == event.Incoming || p.of.Type == event.Answered && s.own(e)
		if !shown && !shows && p.of.Type != event.Missed {
			found = append(found, s.finding(neverShown, p, ""))
		}
		shown = shown || shows && !p.refused()
	}
	return found
}

// missedArrive finds missed calls that the agent is not told of, though Reapit
// would have taken them.
func (e *evidence) missedArrive(s *laneStory) []finding {
	m := s.event(event.Missed)
	if m == nil {
		return nil
	}
	o := s.outcome(m)
	if o == nil || o.Outcome == event.Delivered { // whether that is true, others look
		return nil
	}
	f := finding{where: outcomeLog, kind: undelivered, id: s.String(), note: string(o.Outcome) + ": " + o.Reason}
	if o.Outcome != event.Rejected || !slices.ContainsFunc(s.posts, func(p posted) bool { return p.of == m && e.rejecting(p.request) }) {
		return []finding{f}
	}
	return nil
}

// rejecting reports whether a fault was planted that refuses a notification for good.
func (e *evidence) rejecting(r request) bool {
	return r.Fault != 0 && e.faults[r.Fault].final && (r.Status == 400 || r.Status == 422)
}

// asked is how long the answer to the last request of an event asked to wait: what
// would be late by then is given up at once.
func (e *evidence) asked(s *laneStory, ev *said) (wait time.Duration) {
	for _, p := range s.posts {
		if p.of == ev {
			wait = e.faults[p.request.Fault].asks
		}
	}
	return wait
}

// honest finds outcomes that are not what was answered, or have no reason.
func (e *evidence) honest(s *laneStory) (found []finding) {
	for _, ev := range s.events {
		o := s.outcome(ev)
		if o == nil {
			continue
		}
		say := func(kind, note string) {
			found = append(found, finding{where: outcomeLog, kind: kind, id: s.String(), note: fmt.Sprintf("%s %s: %s (%s)", ev.Type, o.Outcome, note, o.Reason)})
		}
		told, rejected := false, false
		for _, p := range s.posts {
			told = told || p.of == ev && p.told()
			rejected = rejected || p.of == ev && e.rejecting(p.request)
		}
		switch o.Outcome {
		case event.Delivered:
			if !told {
				say(untrue, "nobody has accepted it")
			}
			continue
		case event.Rejected:
			if !rejected {
				say(untrue, "nobody has rejected it")
			}
			if !e.hasLetter(s, ev) {
				say(noLetter, "")
			}
		case event.Expired:
			if o.FinishedAt.Add(e.asked(s, ev) + e.clocks).Before(ev.RecordedAt.Add(e.deadlines[ev.Type] - e.deadlines[ev.Type]/givenUp)) {
				say(unjustified, "it was in time")
			}
		case event.Superseded:
			if why := s.unsuperseded(e, ev, o); why != "" {
				say(unjustified, why)
			}
		default:
			say(untrue, "no such thing was planned")
		}
		if told && !e.toldAtKill(s, ev, o) {
			say(untrue, "it was accepted")
		}
	}
	return found
}

// toldAtKill reports whether every success of an event fell to a kill.
func (e *evidence) toldAtKill(s *laneStory, ev *said, o *event.Outcome) bool {
	return !slices.ContainsFunc(s.posts, func(p posted) bool {
		return p.of == ev && p.told() && !e.hit(p) && !e.reigned(p, o.FinishedAt.Add(e.clocks))
	})
}

// unsuperseded tells why an event was not overtaken.
func (s *laneStory) unsuperseded(e *evidence, ev *said, o *event.Outcome) string {
	by := o.FinishedAt.Add(clocksWithin + e.clocks)
	after := func(at time.Time) bool { return !at.IsZero() && !at.After(by) }
	switch ev.Type {
	case event.Incoming:
		if after(s.over()) || after(s.elsewhere(e)) {
			return ""
		}
	case event.Answered, event.Ended:
		if ev.Type == event.Answered && after(s.over()) {
			return ""
		}
		for _, p := range s.posts {
			if p.told() && p.Time.Before(o.FinishedAt) && (p.of.Type == event.Incoming || p.of.Type == event.Answered && s.own(e)) {
				return "the call was shown"
			}
		}
		if ev.Type == event.Ended || !s.own(e) {
			return ""
		}
	}
	return "nothing has overtaken it"
}

func (e *evidence) hasLetter(s *laneStory, ev *said) bool {
	return slices.ContainsFunc(e.letters, func(l event.DeadLetter) bool {
		return l.EventID == ev.EventID() && l.Customer == s.customer && l.NegotiatorID == s.negotiator
	})
}

// withinLimits finds more requests than Reapit allows, by its own times.
func (e *evidence) withinLimits() (found []finding) {
	rate, atATime := e.most()
	if rate > e.rate {
		found = append(found, finding{where: reapitSide, kind: overTheRate, note: fmt.Sprintf("%d in one second", rate)})
	}
	if atATime > e.concurrency {
		found = append(found, finding{where: reapitSide, kind: overConcurrency, note: fmt.Sprintf("%d at a time", atATime)})
	}
	for _, r := range e.requests {
		if r.Status == 429 && r.Fault == 0 && !e.crowded(r) {
			found = append(found, finding{where: reapitSide, kind: limited, id: r.CallID, note: fmt.Sprintf("request %d", r.Number)})
		}
	}
	return found
}

// most is how many requests came in any second, and how many were under way at a time.
func (e *evidence) most() (inASecond, atATime int) {
	var recent, open []time.Time
	for _, r := range e.requests {
		if !r.platform() {
			continue
		}
		earlier := func(limit time.Time) func(time.Time) bool {
			return func(t time.Time) bool { return !t.After(limit) }
		}
		recent = append(slices.DeleteFunc(recent, earlier(r.Time.Add(-time.Second))), r.Time)
		open = append(slices.DeleteFunc(open, earlier(r.Time)), r.end())
		inASecond, atATime = max(inASecond, len(recent)), max(atATime, len(open))
	}
	return inASecond, atATime
}
