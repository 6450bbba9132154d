package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

// follower fills the book from the streams, first with what the window holds
// and then with what comes.
type follower struct {
	js        jetstream.JetStream
	connected func() bool
	rules     Rules
	clock     func() time.Time
	rte       atomic.Pointer[stream.Span] // when reading began

	mu      sync.Mutex
	known   map[string]stream.Span // the streams that are read, as they were last seen
	book    *Book
	reading map[string]uint64 // streams that are not read up to where they stood at the start: messages left
	trouble map[string]string // streams that cannot be read, and why
	changed chan struct{}     // closed at the next beat, if anything did
	dirty   bool
	lost    bool // the connection
}

// source is a stream, and what is done with what it has.
type source struct {
	name string
	from uint64
	take func(bus.Message)
}

const (
	beat       = 500 * time.Millisecond // so often at most is a reader told that there is more
	retryAfter = time.Second
	// What is found of a call so late is no page any more (writeTimeout).
	gatherWithin = 10 * time.Second
	mostAtOnce   = 50 // calls whose beginning is looked for
)

func (f *follower) sources() []*source {
	return []*source{
		{name: topology.RTE, take: f.heard}, {name: topology.Calls, take: f.told}, {name: topology.Deliveries, take: f.ended},
	}
}

// follow reads a stream, and again where it stopped after an error.
func (f *follower) follow(ctx context.Context, s *source) error {
	for {
		err := f.begin(ctx, s)
		if err == nil {
			err = bus.Read(ctx, f.js, s.name, nil, s.from, func(m bus.Message) error {
				s.from = m.Seq + 1
				if m.Stored = stream.Stored(m); stream.Imported(m) && !f.imported(m, s.name) {
					return errAnew
				}
				f.locked(func() {
					f.progress(s.name, m.Pending)
					s.take(m)
				})
				return nil
			})
		}
		if ctx.Err() != nil || errors.Is(err, errAnew) {
			return err
		}
		f.locked(func() { f.trouble[s.name] = err.Error() })
		pause(ctx, retryAfter)
	}
}

// begin finds the place where the window begins, or where to go on.
func (f *follower) begin(ctx context.Context, s *source) error {
	span, err := f.look(ctx, s.name)
	if err != nil {
		return err
	}
	if s.from == 0 {
		if s.from, err = f.start(ctx, s.name, span); err != nil {
			return err
		}
	}
	f.locked(func() {
		delete(f.trouble, s.name)
		f.progress(s.name, max(span.Last+1, s.from)-s.from)
	})
	return nil
}

// start is the position of the first message of the window, or of the next one.
func (f *follower) start(ctx context.Context, name string, span stream.Span) (uint64, error) {
	now, from := f.now(), span.Last+1
	if f.origin().Imported { // all of it, and not in the order of its times
		return max(span.First, 1), nil
	}
	err := stream.Between(ctx, f.js, name, now.Add(-f.book.window), now, func(m bus.Message) error {
		from = min(from, m.Seq)
		return stream.ErrEnd
	})
	if err == nil && name == topology.RTE && !span.Empty() {
		err = f.listeners(ctx, span, from)
	}
	return from, err
}

// listeners learns who listened to whom when the window began.
func (f *follower) listeners(ctx context.Context, rte stream.Span, before uint64) error {
	g := explain.Gatherer{JS: f.js, RTE: rte, Limits: f.rules.Limits, Now: f.now()}
	feed, err := g.History(ctx, f.now().Add(-f.book.window))
	if err != nil {
		return err
	}
	slices.SortFunc(feed, func(a, b bus.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, m := range slices.CompactFunc(feed, func(a, b bus.Message) bool { return a.Seq == b.Seq }) {
		if m.Seq < before {
			f.locked(func() { f.feed(m) })
		}
	}
	return nil
}

func (f *follower) locked(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.dirty = true
}

// progress notes how much of what there was is still to be read.
func (f *follower) progress(name string, left uint64) {
	delete(f.trouble, name)
	if _, starting := f.reading[name]; !starting {
		return
	}
	if f.reading[name] = left; left == 0 {
		delete(f.reading, name)
	}
}

// heard takes a message of RTE. Most are of no call.
func (f *follower) heard(m bus.Message) {
	if strings.HasPrefix(m.Subject, "feed.") {
		f.feed(m)
		return
	}
	if !ofCall(m.Subject) {
		return
	}
	if h, ok := explain.DecodeHeard(m); ok {
		f.book.Hear(h)
	}
}

// ofCall goes by the type of the event in the subject.
func ofCall(subject string) bool {
	part := strings.SplitN(subject, ".", 5)
	return len(part) == 5 && call.Concerns(event.Raw{CallID: part[4], EventType: part[3]})
}

func (f *follower) feed(m bus.Message) {
	if in, err := fold.Decode(m); err == nil && in.Feed != nil {
		f.book.Listen(*in.Feed)
	}
}

func (f *follower) told(m bus.Message) {
	if s, ok := explain.DecodeStored(m); ok {
		f.book.Tell(s)
	}
}

func (f *follower) ended(m bus.Message) {
	if o, ok := explain.DecodeOutcome(m); ok {
		f.book.End(o)
	}
}

// tick tells readers that something changed, and looks for the beginnings of calls.
func (f *follower) tick(ctx context.Context) {
	for t := time.NewTicker(beat); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		f.announce()
		f.complete(ctx)
	}
}

// announce wakes who waits, if anything changed.
func (f *follower) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if lost := !f.connected(); lost != f.lost {
		f.lost, f.dirty = lost, true
	}
	if f.dirty {
		f.dirty = false
		if len(f.reading) == 0 { // nobody is to wait for it
			f.book.Refresh(f.now())
		}
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// complete looks for what the streams hold of calls that began before the window.
func (f *follower) complete(ctx context.Context) {
	f.mu.Lock()
	var ids []string
	if len(f.reading) == 0 && !f.lost {
		ids = f.book.Partial(f.now().Add(-2 * time.Second))
	}
	f.mu.Unlock()
	for _, id := range ids[:min(len(ids), mostAtOnce)] {
		e, err := f.gather(ctx, id, nil)
		if err != nil {
			return // it is tried again
		}
		f.locked(func() { f.book.Complete(e) })
	}
}

// errNoAnswer means that a reader is not to wait for NATS any longer.
var errNoAnswer = errors.New("NATS gives no answer")

// gather looks for all that there is of a call.
func (f *follower) gather(ctx context.Context, id string, seen func(string, bus.Message)) (explain.Evidence, error) {
	ctx, stop := context.WithTimeoutCause(ctx, gatherWithin, fmt.Errorf("%w within %s", errNoAnswer, gatherWithin))
	defer stop()
	rte, err := stream.RTE(ctx, f.js, f.origin().Partitions)
	if err != nil {
		return explain.Evidence{}, err
	}
	return explain.Gatherer{JS: f.js, RTE: rte, Limits: f.rules.Limits, Now: f.now(), Seen: seen}.Call(ctx, id)
}

// Condition is how current a page is.
type Condition struct {
	State string // live, reading, lost or trouble
	Text  string // for people, where it is not live
}

func (f *follower) condition() Condition {
	switch {
	case f.lost:
		return Condition{"lost", "No connection to NATS. What is shown is as it was; it goes on by itself when the server is back."}
	case len(f.trouble) > 0:
		var all []string
		for name, why := range f.trouble {
			all = append(all, fmt.Sprintf("%s cannot be read: %s", name, why))
		}
		slices.Sort(all)
		return Condition{"trouble", strings.Join(all, "; ") + ". It is tried again every second."}
	case len(f.reading) > 0:
		left := uint64(0)
		for _, n := range f.reading {
			left += n
		}
		if left == 0 {
			return Condition{"reading", "Looking for the beginning of the window."}
		}
		return Condition{"reading", fmt.Sprintf("Reading what the window holds: %d messages are left.", left)}
	default:
		return Condition{State: "live"}
	}
}

// view answers a query, and gives what is closed when there is more to tell.
func (f *follower) view(q Query, render func(View, Condition) error) (more <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.book.Fill(len(f.reading) > 0)
	return f.changed, render(f.book.View(q, f.now()), f.condition())
}
