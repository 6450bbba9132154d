package coverage

import (
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// Ledger is what the coverage events have told so far. The zero Ledger has seen
// none. Its JSON is its state: equal states have equal bytes.
type Ledger struct {
	first, newest moment // words of replicas
	began         moment // of the first positive answer
	floor         moment // what was before is forgotten
	replicas      map[string]*replica
	entities      map[string]parts
	lists         map[string][]string // of events, by what is in them
}

// Take takes the next coverage event. What it has seen before, what has no time
// and what tells of something else changes nothing.
func (l *Ledger) Take(f event.Feed) {
	at := momentOf(f.At)
	if at == 0 || f.Type == event.Audit {
		return
	}
	if l.first == 0 {
		l.first, l.began = at, forever
	}
	l.first = min(l.first, at)
	r := l.replica(f.Instance)
	if at < r.said && f.Type != event.Closed { // which is dated by the hub's last word
		return
	}
	r.said = max(r.said, at)
	r.gone = r.gone && l.newest-at > int64(Gone)
	l.newest = max(l.newest, at)
	if f.Epoch != "" && f.Epoch == r.ended {
		return
	}
	c := l.connected(r, f, at)
	if c == nil {
		return
	}
	was := c.Live
	if f.Type == event.Closed {
		at = c.Said
	}
	c.hear(f, at)
	if len(f.Subscriptions) > 0 {
		l.answers(c, at, f.Subscriptions)
	}
	if f.Live && !was {
		l.complete(c, at)
	}
	if f.Live && at == l.newest {
		l.retire(at)
	}
	if f.Type == event.Closed {
		c.close(f.Reason)
		r.on, r.ended, r.stopped = nil, f.Epoch, strings.HasPrefix(f.Reason, stop)
	}
}

func (l *Ledger) replica(name string) *replica {
	r := l.replicas[name]
	if r == nil {
		if l.replicas == nil {
			l.replicas, l.entities, l.lists = map[string]*replica{}, map[string]parts{}, map[string][]string{}
		}
		r = &replica{name: name}
		l.replicas[name] = r
	}
	return r
}

// connected returns the connection that an event is about, or nil.
func (l *Ledger) connected(r *replica, f event.Feed, at moment) *connection {
	if r.on != nil && r.on.Epoch == f.Epoch && (f.Epoch != "" || f.Live || !f.HeardAt.IsZero() || f.Type == event.Closed) {
		return r.on
	}
	if f.Type == event.Closed {
		return nil // of one that is known no more
	}
	if r.on != nil {
		r.on.leave("ended without a word")
		r.on, r.ended = nil, r.on.Epoch
	}
	if f.Epoch == "" && !f.Live {
		return nil
	}
	r.on = &connection{Replica: r.name, Epoch: f.Epoch, Since: at, All: f.Type != event.Opened}
	r.stopped = false
	return r.on
}

// answers takes what the hub answered on a connection.
func (l *Ledger) answers(c *connection, at moment, all []event.Subscription) {
	by := map[string][]event.Subscription{}
	for _, s := range all {
		id := strings.ToLower(s.EntityID)
		if id != "" && id != Everything && s.EventName != "" {
			by[id] = append(by[id], s)
		}
	}
	before := c.Held
	next := l.going(c, at)
	for id, answers := range by {
		items := l.entities[id].each()
		for _, s := range answers {
			items[s.EventName] = c.answered(items[s.EventName], s, next)
		}
		l.entities[id] = partsOf(items, l.keep)
	}
	switch {
	case before == 0 && c.Held > 0:
		l.everything(c, at, held)
	case before > 0 && c.Held == 0:
		l.everything(c, at, unwanted)
	}
}

// turn is a way for a story to go on.
type turn struct {
	from    *story
	kind    kind
	message string
}

// going lets stories go on, so that items that had one story still have.
func (l *Ledger) going(c *connection, at moment) func(turn) *story {
	known := map[turn]*story{}
	return func(t turn) *story {
		s := known[t]
		if s == nil {
			s = t.from.with(c, at, t.kind, t.message)
			known[t] = s
		}
		return s
	}
}

// answered returns the story of an item after an answer. Ingest asks for an
// item that it holds only to give it up.
func (c *connection) answered(s *story, told event.Subscription, next func(turn) *story) *story {
	before, _ := s.of(c.Replica)
	here := before != nil && before.on == c
	switch {
	case told.Subscribed && here && before.kind == held:
		return s
	case told.Subscribed:
		c.Held++
		return next(turn{s, held, ""})
	case here && before.kind == held:
		c.Held--
		return next(turn{s, unwanted, ""})
	case here:
		return s
	default:
		return next(turn{s, refused, brief(told.Message)})
	}
}

// everything says whether a connection holds anything at all.
func (l *Ledger) everything(c *connection, at moment, k kind) {
	var s *story
	if p := l.entities[Everything]; len(p) > 0 {
		s = p[0].story
	}
	if c.All && k == unwanted {
		return
	}
	if last, _ := s.of(c.Replica); last != nil && last.on == c && last.kind == k {
		return
	}
	if k == held {
		l.began = min(l.began, at)
	}
	l.entities[Everything] = parts{{events: l.keep([]string{Everything}), story: s.with(c, at, k, "")}}
}

// complete is told that all that the replica wants was asked for: what the new
// connection does not name is no longer wanted by it.
func (l *Ledger) complete(c *connection, at moment) {
	if c.All {
		l.everything(c, at, held)
		return
	}
	l.drop(c, at, func(last *answer) bool { return last.on != c })
}

// drop ends what a replica wants of the items whose last answer it is asked about.
func (l *Ledger) drop(c *connection, at moment, which func(last *answer) bool) {
	next := l.going(c, at)
	for _, p := range l.entities {
		for i := range p {
			if last, _ := p[i].story.of(c.Replica); last != nil && last.kind != unwanted && which(last) {
				p[i].story = next(turn{p[i].story, unwanted, ""})
			}
		}
	}
}

// retire expects nothing more of replicas that have been silent for long, now
// that somebody listens. They may still tell what they heard.
func (l *Ledger) retire(at moment) {
	for name, r := range l.replicas {
		if r.gone || at-r.said <= int64(Gone) {
			continue
		}
		r.gone = true
		l.drop(&connection{Replica: name, Since: at, Said: at, Over: true}, at, func(*answer) bool { return true })
	}
}

// keep returns the one list with these events.
func (l *Ledger) keep(events []string) []string {
	key := strings.Join(events, "\n")
	if l.lists[key] == nil {
		l.lists[key] = events
	}
	return l.lists[key]
}

// Floor is the time before which things were forgotten; zero if nothing was.
func (l *Ledger) Floor() time.Time { return when(l.floor) }

// Newest is the newest word of a replica; zero before there was one.
func (l *Ledger) Newest() time.Time { return when(l.newest) }

// First is the oldest word of a replica.
func (l *Ledger) First() time.Time { return when(l.first) }

func when(m moment) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return timeOf(m)
}

// Settled is the time up to which every replica that may still be listening
// has spoken: what was before stays as it is.
func (l *Ledger) Settled() time.Time {
	settled := l.newest
	for _, r := range l.replicas {
		switch {
		case r.gone:
		case r.on != nil:
			settled = min(settled, r.on.settled())
		case !r.stopped:
			settled = min(settled, r.said)
		}
	}
	return when(settled)
}

// Replicas lists the replicas that are not gone, with their last words.
func (l *Ledger) Replicas() map[string]time.Time {
	all := map[string]time.Time{}
	for name, r := range l.replicas {
		if !r.gone {
			all[name] = when(r.said)
		}
	}
	return all
}

// Blind lists the replicas whose connections began before the stream does.
func (l *Ledger) Blind() (names []string) {
	for name, r := range l.replicas {
		if !r.gone && r.on != nil && r.on.All {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
