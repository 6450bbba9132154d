//go:build linux

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/event"
)

const (
	eachKill      = 3 * time.Second // for so long of a run there is one
	longestOffice = 4 * time.Second // until a standby delivers
	// ofTheKilled is how long reapit-sim may still read what a killed replica has sent.
	ofTheKilled = 200 * time.Millisecond
)

// TestDeliverCrash: the replica that delivers is killed again and again while
// calls come in. Nothing is lost, nothing is out of order, and nothing is posted
// again but what was under way at a kill.
func TestDeliverCrash(t *testing.T) {
	t.Parallel() // most of it is waiting
	span, random, _ := lasting(t, 3*eachKill, 100*eachKill)
	o := newOffice(1, "SBOX", 30)
	d := newDesk(t, usually(), o)
	d.control("latency", `{"meanMs":50,"jitterMs":20}`, nil)
	// Half of the notifications are shown as they come, half as they are answered.
	d.plant(ailment{name: "shown before the answer"}, `{"match":{"path":"/notifications"},"chance":0.5,"action":{"delay":"1ms","processed":true}}`)
	d.open(2, d.single())

	m := mix{
		perSecond: 10, group: 3, direct: 0.4, missed: 0.3, quick: 0.1, strangers: 0.05,
		ring: [2]time.Duration{5 * time.Second, 14 * time.Second}, talk: [2]time.Duration{3 * time.Second, 9 * time.Second},
	}
	if brief(span) {
		m.ring, m.talk = [2]time.Duration{2 * time.Second, 4 * time.Second}, [2]time.Duration{time.Second, 3 * time.Second}
	}
	cues := m.cues(random, 4*span+time.Minute, o)
	ctx, hush := context.WithCancel(t.Context())
	var saying sync.WaitGroup
	saying.Go(func() { cues = d.say(ctx, cues) })
	short := d.killings(random, max(1, int(span/eachKill)))
	d.relet(3 * time.Second)
	long := d.killings(random, max(1, int(span/eachKill/10)))
	hush()
	saying.Wait()
	drain := d.drained(notifications(cues), 2*time.Minute)
	d.close()

	e := d.evidence(cues)
	e.kills = slices.Concat(short, long)
	found := e.check()
	f := e.figures()
	f.add("drained within %v", drain.Round(100*time.Millisecond))
	found = append(found, e.repeated(f)...)
	found = append(found, e.takenOver(f, "LEASE_TTL=1s", short)...)
	found = append(found, e.takenOver(f, "LEASE_TTL=3s", long)...)
	found = append(found, e.expiries()...)
	d.verdict(f, found)
}

// killings kills the replica that delivers so often, each time after it has done
// some work and while another stands by.
func (d *desk) killings(random *rand.Rand, times int) (kills []span) {
	d.t.Helper()
	for range times {
		d.eventually(time.Minute, "every replica to be ready", func() bool {
			return !slices.ContainsFunc(d.desks, func(p *program) bool { return !p.ready() })
		})
		var victim *program
		d.eventually(time.Minute, "a replica that delivers", func() bool { victim = d.active(); return victim != nil })
		before := d.outcomesSoFar()
		d.eventually(time.Minute, "some work", func() bool { return d.outcomesSoFar() >= before+5 })
		wait(d.t.Context(), time.Duration(random.Int64N(int64(400*time.Millisecond))))
		from := time.Now()
		victim.kill()
		kills = append(kills, span{from, time.Now()})
		victim.start()
	}
	after := d.outcomesSoFar() // of the one before, too: so shortly after a kill nobody else works
	d.eventually(time.Minute, "the last one to be replaced", func() bool { return d.outcomesSoFar() >= after+5 })
	return kills
}

// relet starts every replica again with another lease, in order.
func (d *desk) relet(ttl time.Duration) {
	d.t.Helper()
	for _, p := range d.desks {
		d.eventually(time.Minute, p.name, p.ready)
		p.stop()
		p.env = append(p.env, "LEASE_TTL="+ttl.String())
		p.start()
	}
}

// repeated tells of what was shown more than once, and finds what no kill explains.
func (e *evidence) repeated(f *figures) (found []finding) {
	stories, _ := e.stories()
	during, before := 0, 0
	for _, s := range stories {
		for _, r := range s.doubles() {
			if !e.hit(r.first) {
				found = append(found, s.finding(postedTwice, r.second, fmt.Sprintf("request %d was under way at no kill", r.first.Number)))
			} else if e.underWay(r.first) {
				during++
			} else {
				before++
			}
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return len(a.id) - len(b.id) })
	hits := 0
	for _, r := range e.requests {
		if r.SubType != "" && e.underWay(posted{request: r}) {
			hits++
		}
	}
	f.add("%d kill -9; %d notifications were under way at one; shown twice: %d that were under way at a kill, %d that were answered within %v before one",
		len(e.kills), hits, during, before, appendedWithin)
	return found
}

// underWay reports whether a request was under way at a kill, by reapit-sim's own times.
func (e *evidence) underWay(p posted) bool {
	return slices.ContainsFunc(e.kills, func(k span) bool { return !p.Time.After(k.until) && !p.end().Before(k.from) })
}

// takenOver tells how long nobody delivered after a kill.
func (e *evidence) takenOver(f *figures, what string, kills []span) (found []finding) {
	var times []time.Duration
	for _, k := range kills {
		i := slices.IndexFunc(e.requests, func(r request) bool { return r.SubType != "" && r.Time.After(k.until.Add(ofTheKilled)) })
		if i < 0 {
			found = append(found, finding{where: reapitSide, kind: undelivered, note: "nothing came after a kill"})
			continue
		}
		took := e.requests[i].Time.Sub(k.from)
		if took > longestOffice {
			found = append(found, finding{where: reapitSide, kind: "taken over late", note: took.String()})
		}
		times = append(times, took)
	}
	slices.Sort(times)
	f.add("from a kill to the next POST, %s: %s", what, spreadOf(times))
	return found
}

// expiries finds deliveries that were given up: every deadline is longer than a take-over.
func (e *evidence) expiries() (found []finding) {
	for _, o := range e.outcomes {
		if o.Outcome == event.Expired {
			found = append(found, finding{where: outcomeLog, kind: undelivered, id: o.EventID + " " + o.NegotiatorID, note: o.Reason})
		}
	}
	return found
}
