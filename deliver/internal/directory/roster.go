package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// ErrEmpty is wrapped by a reading that found nobody where there were some.
var ErrEmpty = errors.New("nobody is listed any more")

const (
	usualRefresh = 6 * time.Hour
	firstRetry   = time.Second
	lastRetry    = time.Minute      // while there is no list, or only an earlier start's
	lateRetry    = 15 * time.Minute // while there is an old one
)

// roster is the list of one customer's negotiators. It may be used concurrently.
type roster struct {
	customer string
	source   Source
	refresh  time.Duration
	first    time.Duration // from the first reading to the second
	turns    chan struct{} // who reads has one of them
	news     func()        // told when there is a list for the first time
	log      *slog.Logger
	duty     *duty
	bare     chan struct{} // closed when nothing was found to be kept
	strip    sync.Once     // of bare
	helpless func() bool   // no customer's list is known
	fresh    chan struct{} // has one after a reading

	mu      sync.RWMutex
	book    *book
	readAt  time.Time
	kept    bool      // the book is an earlier start's
	read    Reading   // Reapit's newest of this one
	unkept  bool      // and it is not in the store yet
	trouble error     // of the newest reading; nil when it succeeded
	since   time.Time // of the first that failed
}

// run reads the list, and reads it again every refresh or soon after a
// reading that failed, until ctx is done.
func (r *roster) run(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval = firstRetry
	next := r.first
	for r.may(ctx) {
		wait := next
		if err := r.load(ctx); err == nil {
			retry.Reset()
			next = r.refresh
		} else if ctx.Err() == nil {
			retry.MaxInterval = r.patience()
			wait = min(retry.NextBackOff(), r.refresh)
			r.failed(err, wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// may waits until Reapit is to be asked: by who leads, or for want of anything
// to begin with. It reports false when ctx is done.
func (r *roster) may(ctx context.Context) bool {
	bare := r.bare
	for ctx.Err() == nil {
		on, turned := r.duty.state()
		if on {
			return true
		}
		select {
		case <-turned:
		case <-bare:
			if r.helpless() {
				return true
			}
			bare = nil
		case <-ctx.Done():
		}
	}
	return false
}

func (r *roster) patience() time.Duration {
	if s := r.state(); s.Known && !s.Kept {
		return lateRetry
	}
	return lastRetry
}

func (r *roster) failed(err error, wait time.Duration) {
	s := r.state()
	r.log.Warn("negotiators not read", "customer", r.customer, "error", err,
		"retry_in", wait.Round(time.Millisecond).String(), "keeps_old", s.Known, "age", s.Age.Round(time.Second).String())
}

// load reads the list once. What was known before stays when it fails.
func (r *roster) load(ctx context.Context) error {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return fmt.Errorf("wait to read negotiators of %s: %w", r.customer, ctx.Err())
	}
	err := r.reload(ctx)
	if ctx.Err() != nil && err != nil {
		return err // ours, and no trouble
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trouble == nil {
		r.since = time.Now()
	}
	r.trouble = err
	return err
}

func (r *roster) reload(ctx context.Context) error {
	list, err := r.source.Negotiators(ctx, r.customer)
	if err != nil {
		return err
	}
	read := newBook(list)
	r.mu.Lock()
	old, kept := r.book, r.kept
	if old != nil && len(read.all) == 0 && len(old.all) > 0 {
		r.mu.Unlock()
		return fmt.Errorf("read negotiators of %s: %w", r.customer, ErrEmpty)
	}
	r.book, r.readAt, r.kept = read, time.Now(), false
	r.read, r.unkept = Reading{At: r.readAt, Negotiators: list}, true
	r.mu.Unlock()
	if old == nil {
		r.news()
	}
	select {
	case r.fresh <- struct{}{}:
	default: // what is there already means this one, too
	}
	r.report(old, read, kept)
	return nil
}

// report tells of the first reading, and of what is another in a later one.
func (r *roster) report(old, read *book, kept bool) {
	log := r.log.With("customer", r.customer, "negotiators", len(read.all), "active", read.count)
	if old == nil || kept {
		log.Info("negotiators read")
	}
	if diff := read.since(old); !diff.empty() {
		log.Info("negotiators changed", "added", diff.added, "removed", diff.removed, "changed", diff.changed)
	}
}

// known is the list as it is; nil: there is none.
func (r *roster) known() *book {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.book
}

// State is how it stands with the list of one customer.
type State struct {
	Customer string
	Known    bool          // there is a list
	Kept     bool          // an earlier start has read it
	Active   int           // negotiators
	Age      time.Duration // since Reapit was read
	Trouble  error         // why it cannot be read; nil while it can
	Since    time.Time     // of the trouble
}

func (r *roster) state() State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := State{Customer: r.customer, Kept: r.kept, Trouble: r.trouble, Since: r.since}
	if r.book != nil {
		s.Known, s.Active, s.Age = true, r.book.count, max(0, time.Since(r.readAt)) // an earlier start's clock may have been another
	}
	return s
}
