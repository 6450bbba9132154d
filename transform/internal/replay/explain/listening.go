package explain

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/stream"
)

// Listening is what the coverage events tell of one user in a span of time.
type Listening struct {
	Wanted  bool      // some item of the user was subscribed by the end of it
	Others  bool      // something was, of whomever
	At      time.Time // which gap is meant: that next to it; zero: the first
	Gaps    []coverage.Gap
	Refused []coverage.Refusal
}

// History reads which connections there were and what they subscribed, and, so
// that replicas that lived on are not taken to be gone, a sign of life twice a day.
func (g Gatherer) History(ctx context.Context, before time.Time) (feed []bus.Message, err error) {
	take := func(m bus.Message) error {
		if strings.HasPrefix(m.Subject, "feed.") {
			feed = append(feed, m)
		}
		return nil
	}
	if g.RTE.Imported { // there is less of it, and the server's clock does not find anything in it
		err = stream.Pick(ctx, g.JS, topology.RTE, "feed.>", take)
		return feed, err
	}
	for _, kind := range []event.FeedType{event.Opened, event.Subscribed, event.Closed} {
		if err := stream.Pick(ctx, g.JS, topology.RTE, "feed.*."+string(kind), take); err != nil {
			return nil, err
		}
	}
	for at := g.RTE.From; at.Before(before); at = at.Add(coverage.Gone / 2) {
		if err := stream.Between(ctx, g.JS, topology.RTE, at, at.Add(coverage.Silence), take); err != nil {
			return nil, err
		}
	}
	return feed, nil
}

// weigh asks the coverage events about a user.
func weigh(feed []bus.Message, user string, w coverage.Window) (l Listening) {
	slices.SortFunc(feed, func(a, b bus.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	feed = slices.CompactFunc(feed, func(a, b bus.Message) bool { return a.Seq == b.Seq })
	var then, known coverage.Ledger // what is subscribed later counts for nothing
	for _, m := range feed {
		in, err := fold.Decode(m)
		if err != nil || in.Feed == nil {
			continue
		}
		known.Take(*in.Feed)
		if !in.Feed.At.After(w.Until) {
			then.Take(*in.Feed)
		}
	}
	return Weigh(user, &known, &then, w)
}

// Weigh asks about a user what all coverage events tell, and for what was
// subscribed, those of the time until the end of the span.
func Weigh(user string, known, then *coverage.Ledger, w coverage.Window) (l Listening) {
	w.Now = Present(known, w.Now)
	blind := len(known.Blind()) > 0
	l.Wanted, l.Others = then.Wants(user) || blind, then.Wanted() > 0 || blind
	l.Gaps = known.GapsOf(user, w)
	for _, g := range known.GapsOf(coverage.Everything, w) {
		if !slices.ContainsFunc(l.Gaps, func(own coverage.Gap) bool { return own.From.Before(g.Until) && g.From.Before(own.Until) }) {
			l.Gaps = append(l.Gaps, g)
		}
	}
	for _, r := range known.Refused() {
		if strings.EqualFold(r.Entity, user) {
			l.Refused = append(l.Refused, r)
		}
	}
	return l
}

// gap is the one that is meant.
func (l Listening) gap() coverage.Gap {
	return slices.MinFunc(l.Gaps, func(a, b coverage.Gap) int { return cmp.Compare(distance(a, l.At), distance(b, l.At)) })
}

// distance is how far a moment is from a gap; none is within all of them.
func distance(g coverage.Gap, at time.Time) time.Duration {
	switch {
	case at.IsZero():
		return 0
	case at.Before(g.From):
		return g.From.Sub(at)
	default:
		return max(0, at.Sub(g.Until))
	}
}

// The ring of a call that was heard late may have gone unheard so long before.
const beforehand = 30 * time.Second

// Unheard names those of whom RTE tells, but not why the phone did not ring, and
// the span in which it is to be known whether somebody listened to them.
func (e Evidence) Unheard() (users []string, w coverage.Window) {
	now := e.Now
	e.Listening, e.Now = nil, e.heardLast().Add(2*arrives) // whether it may ring yet is for later
	for _, u := range e.Users() {
		if v := judge(e, u, Deadlines{}); v.Cause == CauseNoRing {
			users = append(users, u.UserID)
		}
	}
	if len(users) > 0 { // then RTE tells something
		w = coverage.Window{From: e.Raw[0].Stored.Add(-beforehand), Until: e.Raw[len(e.Raw)-1].Stored, Now: now}
	}
	return users, w
}

// unheard looks, for everybody of whom RTE tells but not why the phone did not
// ring, whether somebody listened to them during the call.
func (g Gatherer) unheard(ctx context.Context, e *Evidence) error {
	silent, w := e.Unheard()
	if len(silent) == 0 {
		return nil
	}
	feed, err := g.History(ctx, w.From)
	if err != nil {
		return err
	}
	err = stream.Between(ctx, g.JS, topology.RTE, w.From, w.Until.Add(afterwards), func(m bus.Message) error {
		if strings.HasPrefix(m.Subject, "feed.") {
			feed = append(feed, m)
		}
		return nil
	})
	e.Listening = map[string]Listening{}
	for _, user := range silent {
		e.Listening[user] = weigh(feed, user, w)
	}
	return err
}

// A clock that is less off than this is taken to agree with those of the replicas.
const agreement = 10 * time.Second

// Present is the newest word of a replica, unless that is long ago.
func Present(l *coverage.Ledger, now time.Time) time.Time {
	if now.Sub(l.Newest()) > agreement {
		return now
	}
	return l.Newest()
}
