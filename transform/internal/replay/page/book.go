package page

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
)

// Rules are what the services were set to.
type Rules struct {
	Limits    call.Limits
	Deadlines explain.Deadlines
}

// Book keeps what the streams hold of the calls of a window of time.
type Book struct {
	rules  Rules
	window time.Duration
	most   int
	calls  map[string]*record
	ledger coverage.Ledger
	turns  []event.Feed      // of it, without the heartbeats
	names  map[string]string // of users, by id
	seen   overview

	filling bool
	dropped int // calls that were too many
}

// record is one call.
type record struct {
	evidence    explain.Evidence
	first, last time.Time // stored
	whole       bool      // its beginning was looked for
	heard       int       // messages, so that a change can be told
	unheard     bool      // it is not known of everybody why the phone did not ring
	summary     Summary
	at          time.Time // when the summary was made; zero: it is to be made anew
}

// NewBook keeps the calls of which something was heard within a window, the
// newest only where they are more than most.
func NewBook(rules Rules, window time.Duration, most int) *Book {
	return &Book{rules: rules, window: window, most: most, calls: map[string]*record{}, names: map[string]string{}}
}

// Fill says whether the book is still being filled with what there was. What was
// worked out until then is of a part of it.
func (b *Book) Fill(on bool) {
	if b.filling && !on {
		b.seen = overview{}
	}
	b.filling = on
}

// Hear takes a raw event.
func (b *Book) Hear(h explain.Heard) {
	r := b.record(h.Raw.CallID, h.Stored)
	if n := len(r.evidence.Raw); n > 0 && h.Seq <= r.evidence.Raw[n-1].Seq {
		return // it was found when the call was looked for
	}
	r.evidence.Raw = append(r.evidence.Raw, h)
	b.name(h.User())
}

// Tell takes a call event.
func (b *Book) Tell(s explain.Stored) {
	r := b.record(s.Call.CallID, s.Stored)
	if n := len(r.evidence.Events); n > 0 && s.Seq <= r.evidence.Events[n-1].Seq {
		return
	}
	r.evidence.Events = append(r.evidence.Events, s)
	for _, u := range s.Call.Audience {
		b.name(u)
	}
}

// End takes an outcome.
func (b *Book) End(o explain.Ended) {
	r := b.record(o.CallID, o.Stored)
	if n := len(r.evidence.Outcomes); n > 0 && o.Seq <= r.evidence.Outcomes[n-1].Seq {
		return
	}
	r.evidence.Outcomes = append(r.evidence.Outcomes, o)
}

// Listen takes a coverage event. Late news of a replica may tell why a phone was
// not heard to ring.
func (b *Book) Listen(f event.Feed) {
	b.ledger.Take(f)
	if f.Type == event.Heartbeat {
		return
	}
	b.turns = append(b.turns, f)
	for _, r := range b.calls {
		if r.unheard {
			r.at = time.Time{}
		}
	}
}

// overhear adds, for those of whom RTE does not tell why the phone did not ring,
// who listened to them, as explain does. It reports whether that is certain.
func (b *Book) overhear(e *explain.Evidence) (certain bool) {
	silent, w := e.Unheard()
	if b.calls[e.Call] != nil {
		b.calls[e.Call].unheard = len(silent) > 0
	}
	if len(silent) == 0 {
		return true
	}
	then := b.subscribed(w.Until)
	listening := maps.Clone(e.Listening)
	if listening == nil {
		listening = map[string]explain.Listening{}
	}
	for _, user := range silent {
		listening[user] = explain.Weigh(user, &b.ledger, then, w)
	}
	e.Listening = listening
	return b.ledger.Settled().After(w.Until)
}

// subscribed is what was, by then.
func (b *Book) subscribed(by time.Time) *coverage.Ledger {
	later := func(f event.Feed) bool { return f.At.After(by) }
	if !slices.ContainsFunc(b.turns, later) {
		return &b.ledger
	}
	then := new(coverage.Ledger)
	for _, f := range b.turns {
		if !later(f) {
			then.Take(f)
		}
	}
	return then
}

func (b *Book) record(id string, stored time.Time) *record {
	id = strings.ToLower(id)
	r := b.calls[id]
	if r == nil {
		r = &record{evidence: explain.Evidence{Call: id}, first: stored}
		b.calls[id] = r
	}
	r.heard++
	r.at = time.Time{}
	if stored.Before(r.first) {
		r.first = stored
	}
	if stored.After(r.last) {
		r.last = stored
	}
	return r
}

func (b *Book) name(u event.User) {
	if u.UserName != "" {
		b.names[strings.ToLower(u.UserID)] = u.UserName
	}
}

// Partial lists the calls that began before the book: what is known of them is
// not enough to say what became of them. Late is when an outcome is no longer
// expected to be read before the call event that it ends.
func (b *Book) Partial(late time.Time) (ids []string) {
	for id, r := range b.calls {
		if !r.whole && partial(r, late) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func partial(r *record, late time.Time) bool {
	e := r.evidence
	if len(e.Events) > 0 {
		return e.Events[0].Call.Sequence > 1
	}
	return len(e.Outcomes) > 0 && r.last.Before(late)
}

// Complete puts what the streams hold of a call in the place of what the book
// has of it, unless the book has heard more since.
func (b *Book) Complete(e explain.Evidence) {
	r := b.calls[e.Call]
	if r == nil {
		return
	}
	r.whole = true
	if newer(r.evidence, e) {
		return
	}
	r.evidence, r.at = e, time.Time{}
	if len(e.Raw) > 0 && e.Raw[0].Stored.Before(r.first) {
		r.first = e.Raw[0].Stored
	}
}

// newer reports whether a has something that came after the last of b.
func newer(a, b explain.Evidence) bool {
	return lastSeq(a.Raw, func(h explain.Heard) uint64 { return h.Seq }) > lastSeq(b.Raw, func(h explain.Heard) uint64 { return h.Seq }) ||
		lastSeq(a.Events, func(s explain.Stored) uint64 { return s.Seq }) > lastSeq(b.Events, func(s explain.Stored) uint64 { return s.Seq }) ||
		lastSeq(a.Outcomes, func(o explain.Ended) uint64 { return o.Seq }) > lastSeq(b.Outcomes, func(o explain.Ended) uint64 { return o.Seq })
}

func lastSeq[T any](all []T, seq func(T) uint64) uint64 {
	if len(all) == 0 {
		return 0
	}
	return seq(all[len(all)-1])
}

// Heard counts the messages of a call, so that a reader of it learns that there are more.
func (b *Book) Heard(id string) int {
	if r := b.calls[strings.ToLower(id)]; r != nil {
		return r.heard
	}
	return 0
}

// advance forgets what left the window, and the oldest of what is too much.
func (b *Book) advance(now time.Time) {
	for id, r := range b.calls {
		if now.Sub(r.last) > b.window {
			delete(b.calls, id)
		}
	}
	over := len(b.calls) - b.most
	if over <= 0 {
		return
	}
	all := make([]*record, 0, len(b.calls))
	for _, r := range b.calls {
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y *record) int {
		return cmp.Or(x.last.Compare(y.last), strings.Compare(x.evidence.Call, y.evidence.Call))
	})
	for _, r := range all[:over] {
		delete(b.calls, r.evidence.Call)
	}
	b.dropped += over
}

const (
	// unsettledFor is how long what is said of a call under way is not worked out anew.
	unsettledFor = time.Second
	// unsettledAtOnce is of how many at most it is: of more, some wait longer.
	unsettledAtOnce = 1000
)

// summaries are those of all calls, the newest first.
func (b *Book) summaries(now time.Time) []*Summary {
	b.advance(now)
	all := make([]*Summary, 0, len(b.calls))
	again := 0
	for _, r := range b.calls {
		old := !r.summary.settled && now.Sub(r.at) >= unsettledFor && again < unsettledAtOnce
		if old && !r.at.IsZero() {
			again++
		}
		if old || r.at.IsZero() {
			r.summary, r.at = b.summarize(r, now), now
		}
		all = append(all, &r.summary)
	}
	slices.SortFunc(all, func(x, y *Summary) int { return cmp.Or(y.First.Compare(x.First), strings.Compare(x.Call, y.Call)) })
	return all
}
