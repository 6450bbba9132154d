package page

import (
	"context"
	"errors"
	"sync"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/stream"
)

// errAnew means that a stream is not the one that was read: what the book has
// is of another world.
var errAnew = errors.New("the stream was made anew")

// lookAgain is how often the streams are looked at: who reads one that was made
// anew only hears nothing.
const lookAgain = 5 * time.Second

// run follows until ctx ends, and begins anew when the streams were made anew.
func (f *follower) run(ctx context.Context) {
	var telling sync.WaitGroup
	telling.Go(func() { f.tick(ctx) })
	for f.world(ctx); ctx.Err() == nil; f.world(ctx) {
		f.forget()
		for ctx.Err() == nil && f.arrive(ctx) != nil {
			pause(ctx, retryAfter)
		}
	}
	telling.Wait()
}

// world follows the streams for as long as they are the same.
func (f *follower) world(ctx context.Context) {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	var workers sync.WaitGroup
	for _, s := range f.sources() {
		workers.Go(func() { leave(f.follow(ctx, s)) })
	}
	workers.Go(func() { leave(f.watch(ctx)) })
	workers.Wait()
}

// forget lets go of all that was read, and is reading again.
func (f *follower) forget() {
	f.locked(func() {
		f.book = NewBook(f.book.rules, f.book.window, f.book.most)
		f.known, f.trouble = map[string]stream.Span{}, map[string]string{}
		for _, s := range f.sources() {
			f.reading[s.name] = 0
		}
	})
}

// arrive finds out what RTE is now.
func (f *follower) arrive(ctx context.Context) error {
	rte, err := stream.RTE(ctx, f.js, f.origin().Partitions)
	if err != nil {
		f.locked(func() { f.trouble[topology.RTE] = err.Error() })
		return err
	}
	f.rte.Store(&rte)
	f.locked(func() { delete(f.trouble, topology.RTE) })
	return nil
}

// origin is RTE as it was when reading began.
func (f *follower) origin() stream.Span { return *f.rte.Load() }

// imported takes note of how far what is imported reaches. It is false where the
// streams were empty at the beginning: then all is to be seen in another light.
func (f *follower) imported(m bus.Message, from string) bool {
	rte := f.origin()
	if rte.Imported && from == topology.RTE && m.Stored.After(rte.To) {
		rte.To = m.Stored
		f.rte.Store(&rte)
	}
	return rte.Imported
}

// now is the time to go by.
func (f *follower) now() time.Time { return f.origin().Present(f.clock()) }

// look at a stream, and whether it is the same.
func (f *follower) look(ctx context.Context, name string) (stream.Span, error) {
	f.mu.Lock()
	was, met := f.known[name]
	f.mu.Unlock()
	span, err := stream.Look(ctx, f.js, name)
	if err != nil {
		return span, err
	}
	if met && span.Anew(was) {
		return span, errAnew
	}
	f.mu.Lock()
	f.known[name] = span
	f.mu.Unlock()
	return span, nil
}

// watch looks at the streams now and then, and when the connection is back,
// until one is not the same.
func (f *follower) watch(ctx context.Context) error {
	unseen := map[string]bool{} // what could not be looked at
	for ctx.Err() == nil {
		f.calm(ctx, len(unseen) > 0)
		for _, s := range f.sources() {
			_, err := f.look(ctx, s.name)
			switch {
			case errors.Is(err, errAnew):
				return err
			case ctx.Err() != nil || !f.connected():
			case err != nil:
				unseen[s.name] = true
				f.locked(func() { f.trouble[s.name] = err.Error() })
			case unseen[s.name]:
				delete(unseen, s.name)
				f.locked(func() { delete(f.trouble, s.name) })
			}
		}
	}
	return context.Cause(ctx)
}

// calm waits until it is time to look again, and while there is no connection.
func (f *follower) calm(ctx context.Context, trouble bool) {
	left := lookAgain
	if trouble {
		left = retryAfter
	}
	for ; left > 0 && ctx.Err() == nil; left -= beat {
		pause(ctx, beat)
		for !f.connected() && ctx.Err() == nil {
			pause(ctx, beat)
			left = 0
		}
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
