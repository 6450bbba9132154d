package directory

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// fresher is how long what was kept waits for Reapit's own word.
	fresher = 2 * time.Second
	// lastKeep is the longest pause between two attempts at the store. Where it
	// is not permitted, each of them is a line of the connection's.
	lastKeep = time.Hour
)

// remember uses and keeps what Directory.Remember tells.
func (r *roster) remember(ctx context.Context, s Store) {
	select {
	case <-r.tried:
	case <-time.After(fresher):
	case <-ctx.Done():
		return
	}
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = firstRetry, lastKeep
	said := ""
	for ctx.Err() == nil {
		var again <-chan time.Time
		err := r.keep(ctx, s)
		if text := words(err); text != said && ctx.Err() == nil {
			said = text
			r.tell(err)
		}
		switch {
		case err == nil:
			retry.Reset()
		case r.forlorn(err): // another replica may read and keep it
			again = time.After(lastRetry)
		default:
			again = time.After(retry.NextBackOff())
		}
		select {
		case <-again:
		case <-r.fresh:
		case <-ctx.Done():
		}
	}
}

// forlorn reports whether there is no list at all.
func (r *roster) forlorn(err error) bool { return errors.Is(err, ErrNothingKept) && r.known() == nil }

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (r *roster) tell(err error) {
	switch {
	case err == nil:
	case r.forlorn(err):
		r.log.Warn("no negotiators from an earlier start", "customer", r.customer, "error", err)
	default:
		r.log.Warn("negotiators are not kept for the next start", "customer", r.customer, "error", err)
	}
}

// keep keeps what Reapit said last or, before it said anything, recalls.
func (r *roster) keep(ctx context.Context, s Store) error {
	r.mu.RLock()
	read, known := r.read, r.book != nil
	r.mu.RUnlock()
	switch {
	case len(read.Negotiators) > 0:
		return s.Keep(ctx, r.customer, read)
	case known:
		return nil
	}
	kept, err := s.Recall(ctx, r.customer)
	if err == nil {
		r.adopt(kept)
	}
	return err
}

// adopt takes a kept reading for the list, unless Reapit was quicker.
func (r *roster) adopt(kept Reading) {
	list := newBook(kept.Negotiators)
	r.mu.Lock()
	late := r.book != nil
	if !late {
		r.book, r.readAt, r.kept = list, kept.At, true
	}
	r.mu.Unlock()
	if late {
		return
	}
	r.news()
	r.log.Warn("negotiators are those of an earlier start until Reapit can be read", "customer", r.customer,
		"negotiators", len(list.all), "active", list.count, "read_at", kept.At, "age", time.Since(kept.At).Round(time.Second).String())
}
