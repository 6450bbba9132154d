package e2e

import (
	"slices"
	"time"
)

// What reapit-sim has in its journal is when a request came and how long it was under
// way there. Between it and deliver stand gates, which hold back what is on its way,
// and processes are frozen with requests under way. Neither is deliver's doing, so what it
// did is read off the gates' own books: when it sent a request, and from when on it had given it up.

// traced is what the gates tell of a request.
type traced struct {
	Sender  string    `json:"sender,omitempty"`
	Came    time.Time `json:"came,omitzero"`    // to reapit-sim, where that was later than it was sent
	Ended   time.Time `json:"ended,omitzero"`   // there, where that was later than for its sender
	Unheard bool      `json:"unheard,omitzero"` // the answer did not get through
}

// still is when a replica stood still.
type still struct {
	who string
	span
}

// brokenOffWithin is how long whoever stood still for longer than its lease may take
// to break off its requests when it goes on.
const brokenOffWithin = time.Second

// trace puts in the place of the times of the requests at Reapit those of their senders.
func (e *evidence) trace(transits map[string][]transit, frozen []still) {
	of := e.byTransit(transits)
	for p, requests := range of {
		p.trace(requests)
	}
	slices.SortStableFunc(e.requests, func(a, b request) int { return a.Time.Compare(b.Time) })
	for _, f := range frozen {
		e.supersede(f)
	}
}

// byTransit are the requests that came by each connection, as they came, each told whose it is.
func (e *evidence) byTransit(transits map[string][]transit) map[*transit][]*request {
	ends := map[string][]*transit{} // by the address, the last first
	senders := map[*transit]string{}
	for who, all := range transits {
		for i := range all {
			p := &all[i]
			ends[p.as], senders[p] = append(ends[p.as], p), who
		}
	}
	for _, all := range ends {
		slices.SortFunc(all, func(a, b *transit) int { return b.made.Compare(a.made) })
	}
	slices.SortStableFunc(e.requests, func(a, b request) int { return a.Time.Compare(b.Time) })
	of := map[*transit][]*request{}
	for i := range e.requests {
		r := &e.requests[i]
		all := ends[r.Remote]
		if n := slices.IndexFunc(all, func(p *transit) bool { return !p.made.After(r.Time) }); n >= 0 {
			r.Sender = senders[all[n]]
			of[all[n]] = append(of[all[n]], r)
		}
	}
	return of
}

// trace tells the requests of one connection what became of them on their way. There
// is one at a time, so that what was held back first came as the next of them.
func (p *transit) trace(requests []*request) {
	for _, h := range p.held {
		i := slices.IndexFunc(requests, func(r *request) bool { return !r.arrival().Before(h.until) })
		if i >= 0 && requests[i].Came.IsZero() {
			r := requests[i]
			end := r.end()
			r.Came, r.Time = r.Time, h.from
			r.endAt(end)
		}
	}
	for n, r := range requests {
		end := r.end()
		i := slices.IndexFunc(p.back, func(b span) bool {
			return !b.from.Before(end) && (n+1 == len(requests) || b.from.Before(requests[n+1].arrival()))
		})
		r.Unheard = i >= 0 && (p.back[i].until.IsZero() || !p.gone.IsZero() && p.gone.Before(p.back[i].until))
		if !p.gone.IsZero() && p.gone.Before(end) {
			r.cutShort(p.gone)
			r.Unheard = true
		}
	}
}

// arrival is when a request came to reapit-sim.
func (r request) arrival() time.Time {
	if r.Came.IsZero() {
		return r.Time
	}
	return r.Came
}

// gone is when it was over there.
func (r request) gone() time.Time {
	if r.Ended.IsZero() {
		return r.end()
	}
	return r.Ended
}

func (r *request) endAt(t time.Time) {
	r.DurationMS = float64(t.Sub(r.Time)) / float64(time.Millisecond)
}

// cutShort has a request end for its sender before it does at reapit-sim.
func (r *request) cutShort(t time.Time) {
	r.Ended = r.gone()
	r.endAt(t)
}

// supersede ends what was under way of somebody who stood still, when somebody else
// delivers: nobody was there to break it off. Who goes on has to do so at once.
func (e *evidence) supersede(f still) {
	i := slices.IndexFunc(e.requests, func(q request) bool {
		return q.SubType != "" && q.Sender != "" && q.Sender != f.who && q.Time.After(f.from) && q.Time.Before(f.until)
	})
	if i < 0 {
		return // it has kept its place
	}
	next := e.requests[i].Time
	for i := range e.requests[:i] {
		r := &e.requests[i]
		if r.Sender == f.who && r.end().After(next) && !r.end().After(f.until.Add(brokenOffWithin)) {
			r.cutShort(next)
		}
	}
}

// crowded reports whether what Reapit refused for a limit met there what its sender
// did not know to be there.
func (e *evidence) crowded(r request) bool {
	return slices.ContainsFunc(e.requests, func(x request) bool {
		if x.Came.IsZero() && x.Ended.IsZero() || x.arrival().After(r.arrival()) {
			return false
		}
		return x.gone().After(r.arrival()) || x.arrival().After(r.arrival().Add(-time.Second))
	})
}

// heldBack is how long requests were on their way that were held back.
func (e *evidence) heldBack() (all []time.Duration) {
	for _, r := range e.requests {
		if !r.Came.IsZero() {
			all = append(all, r.Came.Sub(r.Time))
		}
	}
	slices.Sort(all)
	return all
}

// abandoned are the requests that were still under way at Reapit when for their
// senders they were not.
func (e *evidence) abandoned() (n int) {
	for _, r := range e.requests {
		if !r.Ended.IsZero() && r.Ended.Sub(r.end()) > clocksWithin {
			n++
		}
	}
	return n
}
