//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// outage is when what happened.
type outage struct{ failing, away, back, end time.Time }

const (
	// mostRepeated is the part of first attempts that repetitions may be,
	// perSecondRepeated how many there may be beside that, and savedUp how many
	// more of them may have been saved before.
	mostRepeated      = 0.2
	perSecondRepeated = 1.0
	savedUp           = 10
	backToNormal      = time.Minute
	stormy            = "a storm of repetitions"
)

// TestDeliverOutage: Reapit answers 503 and then not at all, while calls go on.
// There is no storm meanwhile or afterwards, what is stale is not shown, every
// missed call arrives, and soon all is as before.
func TestDeliverOutage(t *testing.T) {
	t.Parallel() // most of it is waiting
	span, random, _ := lasting(t, 15*time.Second, 30*time.Minute)
	calm, after := 2*time.Minute, 3*time.Minute
	if brief(span) {
		calm, after = 6*time.Second, 10*time.Second
	}
	o := newOffice(1, "SBOX", 30)
	d := newDesk(t, usually(), o)
	d.control("latency", `{"meanMs":45,"jitterMs":15}`, nil)
	g := newGate(t, strings.TrimPrefix(d.reapit.url, "http://"))
	d.address = g.url()
	d.open(2, d.single())

	m := mix{
		perSecond: 7, group: 3, direct: 0.6, missed: 0.3, quick: 0.1,
		ring: [2]time.Duration{2 * time.Second, 25 * time.Second}, talk: [2]time.Duration{2 * time.Second, 10 * time.Second},
	}
	cues := m.cues(random, calm+span+after, o)
	ctx, hush := context.WithCancel(t.Context())
	var saying sync.WaitGroup
	saying.Go(func() { cues = d.say(ctx, cues) })
	var at outage
	wait(t.Context(), calm)
	at.failing = time.Now()
	rule := d.plant(ailment{name: "503"}, `{"action":{"status":503}}`)
	wait(t.Context(), span/2)
	at.away = time.Now()
	g.turn(true)
	wait(t.Context(), span/2)
	turned := g.refusals()
	d.heal(rule)
	at.back = time.Now()
	g.turn(false)
	wait(t.Context(), after)
	hush()
	saying.Wait()
	drain := d.drained(notifications(cues), 10*time.Minute)
	at.end = time.Now()
	d.close()

	e := d.evidence(cues)
	e.partial = true
	f := e.figures()
	f.add("drained %v after the last call, %v after Reapit's return", drain.Round(time.Second), at.end.Sub(at.back).Round(time.Second))
	found := append(e.check(), e.storms(f, at, turned)...)
	found = append(found, e.recovered(f, at)...)
	d.verdict(f, found)
}

// heal takes a fault away.
func (d *desk) heal(rule int) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodDelete, fmt.Sprintf("%s/control/faults/%d", d.reapit.url, rule), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// storms tells how much was asked of Reapit in each phase, and finds too much of it.
func (e *evidence) storms(f *figures, at outage, turned int) (found []finding) {
	judge := func(phase string, from, until time.Time, first, again int) {
		lasted := until.Sub(from).Seconds()
		most := mostRepeated*float64(first) + perSecondRepeated*lasted + savedUp
		f.add("%s, %.0f s: %.1f first attempts and %.1f repetitions a second (allowed %.1f)", phase, lasted, float64(first)/lasted, float64(again)/lasted, most/lasted)
		if float64(again) > most {
			found = append(found, finding{where: reapitSide, kind: stormy, id: phase, note: fmt.Sprintf("%d, at most %.0f are allowed", again, most)})
		}
	}
	first, again := e.attemptsWithin(at.failing, at.away)
	judge("while it answers 503", at.failing, at.away, first, again)
	fresh := 0
	for _, s := range e.said {
		if s.stored.After(at.away) && s.stored.Before(at.back) {
			fresh += len(s.Audience) // which of the connections were first attempts nobody knows
		}
	}
	judge("while it is away", at.away, at.back, min(fresh, turned), max(0, turned-fresh))
	until := at.back.Add(time.Minute)
	if until.After(at.end) {
		until = at.end
	}
	first, again = e.attemptsWithin(at.back, until)
	rate, _ := (&evidence{requests: e.within(at.back, until)}).most()
	f.add("after its return, for up to a minute: %d requests, at most %d in a second", first+again, rate)
	return found
}

func (e *evidence) within(from, until time.Time) (some []request) {
	for _, r := range e.requests {
		if r.Time.After(from) && r.Time.Before(until) {
			some = append(some, r)
		}
	}
	return some
}

// attemptsWithin counts the POSTs of a time, by whether they were the first of their kind.
func (e *evidence) attemptsWithin(from, until time.Time) (first, again int) {
	before := &evidence{requests: e.within(time.Time{}, from)}
	all := &evidence{requests: e.within(time.Time{}, until)}
	f0, a0, _ := before.attempts()
	f1, a1, _ := all.attempts()
	return f1 - f0, a1 - a0
}

// recovered tells when pops were as quick as before the outage, and finds when not soon.
func (e *evidence) recovered(f *figures, at outage) (found []finding) {
	usual := e.delays(event.Incoming, func(s said, _ posted) bool { return s.RecordedAt.Before(at.failing) })
	normal := max(quantile(usual, 0.99)*3/2, 250*time.Millisecond)
	var since time.Duration
	slow := func(s said) {
		since = max(since, s.RecordedAt.Sub(at.back))
	}
	stories, _ := e.stories()
	for _, s := range stories {
		ring := s.event(event.Incoming)
		if ring == nil || ring.RecordedAt.Before(at.back) || s.over().Before(ring.RecordedAt.Add(normal)) && !s.over().IsZero() {
			continue
		}
		i := slices.IndexFunc(s.posts, func(p posted) bool { return p.of == ring })
		if i < 0 || s.posts[i].Time.Sub(ring.RecordedAt) > normal {
			slow(*ring)
		}
	}
	again := e.delays(event.Incoming, func(s said, _ posted) bool { return s.RecordedAt.After(at.back.Add(since)) })
	f.add("from hearing to the accepted POST, incoming, before: %s; again from %v after the return: %s", spreadOf(usual), since.Round(100*time.Millisecond), spreadOf(again))
	if since > backToNormal || len(again) == 0 {
		found = append(found, finding{where: reapitSide, kind: late, note: fmt.Sprintf("a call that was heard %v after the return took longer than %v", since, normal)})
	}
	return found
}
