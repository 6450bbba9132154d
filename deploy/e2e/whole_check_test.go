//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// The checker of a whole run: what each part's checker finds, and what they are told
// of the faults that no service can do anything about.

const (
	// undeafWithin is how long deliver takes to hear again what CALLS has, after NATS
	// was hurt or it was cut off.
	undeafWithin = 5 * time.Second
	// hardest is how long after the end of a call, or somebody's answer to it, it may be
	// shown whatever was hurt: deliver works on until it cannot be sure of its lease.
	hardest = wholeTTL + undeafWithin
)

// judged is what came of a run.
type judged struct {
	found   []finding
	heard   *history
	gaps    gaps
	calls   int // call events
	of      int // raw events of calls
	e       *evidence
	stale   []time.Duration // how long after its end a call was shown all the same
	doubles int
	unshown int  // told the end, or the answer, of what reapit-sim has not shown
	whole   int  // calls of which CALLS must tell what was planned
	rest    span // in which nothing was hurt
}

// judge reads everything and finds what breaks a promise. Nobody writes any more
// but transform and deliver, who have to come to their end. A run without a rest shares its
// machine with other tests: there whoever delivers may hear late of anything at any time.
func (h *premises) judge(rest span) (j judged) {
	h.t.Helper()
	want := h.reference()
	h.quorum.caughtUp(len(want))
	j.heard, j.gaps = h.heard(), h.gapsAre(skewed*time.Second, h.skewings(), h.unread)
	j.heard.stills = h.unread
	j.calls = len(want)
	h.drained(h.owed(), 4*time.Minute)
	for _, service := range rolledOver[1:] {
		for _, s := range h.all[service] {
			s.stop()
		}
	}
	j.e = h.gathered()
	j.e.kills, j.e.partial, j.e.clocks = h.kills, true, 2*skewed*time.Second
	j.e.trace(h.transits(), h.frozen)
	j.e.reigns, j.e.deaf = h.reigns(), h.deafness()
	j.rest = rest
	if rest == (span{}) {
		j.e.deaf = []span{{time.Time{}, time.Now()}}
	}
	j.stale = j.e.stale()
	j.doubles, j.unshown = j.e.doubled(), j.e.unshown()
	told, whole := asPlanned(h.plan, j.heard, j.gaps.all, j.e.said)
	j.whole = whole
	j.found = slices.Concat(j.heard.check(), j.gaps.found, h.quorum.callsAre(want), told, j.e.check(), j.e.outlived(), j.e.baseless(), j.e.afterwards(), j.e.silent(rest))
	if rest != (span{}) {
		j.found = append(j.found, rare(j.excused())...)
	}
	j.of = h.quorum.holds(topology.RTE, "rte.>")
	return j
}

// excuse is what is no violation where something was hurt, and how much of it there may be.
type excuse struct {
	what     string
	n, of    int
	perMille int
}

func (j judged) excused() []excuse {
	return []excuse{
		{"raw events not stored, which nobody may have heard", j.heard.doubt, len(j.heard.hearers()), 5}, // a connection that falls silent beside none: 3 s
		{"calls shown after their end, while nobody could hear of it", len(j.stale), len(j.e.requests), 2},
		{"notifications shown twice, when whoever delivered lost its place", j.doubles, len(j.e.requests), 20},
	}
}

// rare finds what is excused so often that the faults cannot be all of it: several times
// what runs of ten minutes have seen.
func rare(all []excuse) (found []finding) {
	for _, x := range all {
		if 1000*x.n > x.perMille*x.of {
			found = append(found, finding{kind: excusedTooOften, note: fmt.Sprintf("%d of %d: %s", x.n, x.of, x.what)})
		}
	}
	return found
}

const excusedTooOften = "excused too often"

// transits are what stood between each replica of deliver and Reapit.
func (h *premises) transits() map[string][]transit {
	all := map[string][]transit{}
	for name, way := range h.ways {
		if way.toReapit != nil {
			all[name] = way.toReapit.transits()
		}
	}
	return all
}

// reference is what one undisturbed process makes of RTE.
func (h *premises) reference() []callEvent {
	h.t.Helper()
	printed, err := h.quorum.replay("run", "-o", "json")
	if err != nil {
		h.t.Fatal(err)
	}
	want, err := referenceOf(printed, deskPartitions)
	if err != nil {
		h.t.Fatal(err)
	}
	return want
}

// owed is how many deliveries CALLS asks for.
func (h *premises) owed() (n int) {
	e := &evidence{}
	h.said(e)
	for _, s := range e.said {
		n += len(s.Audience)
	}
	return n
}

// reigns are when somebody began to deliver: each begins with a snapshot in the log,
// of which there are others, too; between two outcomes it leaves a gap.
func (h *premises) reigns() (all []span) {
	h.t.Helper()
	var before bus.Message
	h.everything(topology.Deliveries, "deliveries.>", func(m bus.Message) error {
		if m.Seq != before.Seq+1 {
			all = append(all, span{before.Stored, m.Stored})
		}
		before = m
		return nil
	})
	return all
}

// deafness is when whoever delivers may not have heard of an end.
func (h *premises) deafness() (all []span) {
	for _, s := range h.deaf {
		all = append(all, span{s.from, s.until.Add(undeafWithin)})
	}
	h.quorum.mu.Lock()
	defer h.quorum.mu.Unlock()
	for _, s := range h.quorum.strikes {
		if slices.ContainsFunc(nodeBlows, func(b blow[*quorum]) bool { return b.name == s.name }) {
			all = append(all, span{s.from, s.until.Add(undeafWithin)})
		}
	}
	return all
}

// tardy calls do for each post that shows a call though it was over, or answered by
// somebody else, and how long it was so.
func (e *evidence) tardy(do func(s *laneStory, p posted, at time.Time)) {
	stories, _ := e.stories()
	for _, s := range stories {
		over, elsewhere := s.over(), s.elsewhere(e)
		for _, p := range s.posts {
			for _, at := range []time.Time{over, elsewhere} {
				shows := p.of.Type == event.Incoming || p.of.Type == event.Answered && at.Equal(over)
				if shows && !at.IsZero() {
					do(s, p, at)
				}
			}
		}
	}
}

// stale is how long calls had been over when they were shown all the same.
func (e *evidence) stale() (all []time.Duration) {
	e.tardy(func(_ *laneStory, p posted, at time.Time) {
		if by := p.Time.Sub(at); by > overtakenWithin {
			all = append(all, by)
		}
	})
	slices.Sort(all)
	return all
}

// overtaken is the same of those that went on when they were shown, as far as
// anybody could tell who had sent that: it was held back on its way.
func (e *evidence) overtaken() (all []time.Duration) {
	e.tardy(func(_ *laneStory, p posted, at time.Time) {
		if by := p.arrival().Sub(at); by > overtakenWithin && p.Time.Sub(at) <= overtakenWithin {
			all = append(all, by)
		}
	})
	return all
}

// outlived finds calls that were shown so long after their end that nothing excuses it.
func (e *evidence) outlived() (found []finding) {
	e.tardy(func(s *laneStory, p posted, at time.Time) {
		if by := p.Time.Sub(at); by > hardest {
			found = append(found, s.finding(afterTheEnd, p, fmt.Sprintf("by %v, whatever was hurt", by)))
		}
	})
	return found
}

// doubled is how many notifications were shown more than once.
func (e *evidence) doubled() (n int) {
	stories, _ := e.stories()
	for _, s := range stories {
		n += len(s.doubles())
	}
	return n
}

// unshown is how many ends and answers were told of what had not been shown: after a
// kill, or when a request did not get through, nobody knows.
func (e *evidence) unshown() (n int) {
	all := *e
	all.kills, all.partial = nil, false
	stories, _ := all.stories()
	for _, s := range stories {
		n += len(all.closed(s))
	}
	return n
}
