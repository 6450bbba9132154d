package directory

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// lastKeep is the longest pause between two attempts at the store. Where it
	// is not permitted, each of them is a line of the connection's.
	lastKeep = time.Hour
	// follow is how soon a standby has what the leader has read.
	follow = time.Minute
)

// remember uses and keeps what Directory.Remember tells.
func (r *roster) remember(ctx context.Context, s Store) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = firstRetry, lastKeep
	said := ""
	for ctx.Err() == nil {
		var again <-chan time.Time
		leads, turned := r.duty.state()
		err := r.keep(ctx, s, leads)
		said = r.tell(ctx, err, said)
		if err != nil {
			r.strip.Do(func() { close(r.bare) })
		}
		switch {
		case err == nil && leads:
			retry.Reset()
		case err == nil:
			retry.Reset()
			again = time.After(follow)
		case r.forlorn(err): // another replica may read and keep it
			again = time.After(lastRetry)
		default:
			again = time.After(retry.NextBackOff())
		}
		select {
		case <-again:
		case <-turned:
		case <-r.fresh:
		case <-ctx.Done():
		}
	}
}

// forlorn reports whether there is no list at all.
func (r *roster) forlorn(err error) bool { return errors.Is(err, ErrNothingKept) && r.known() == nil }

// tell says once what the trouble is, and returns what it said last.
func (r *roster) tell(ctx context.Context, err error, said string) string {
	if err == nil || ctx.Err() != nil {
		return ""
	}
	what := "negotiators are not kept for the next start"
	if r.forlorn(err) {
		what = "no negotiators from an earlier start"
	}
	news := what + err.Error()
	if news != said {
		r.log.Warn(what, "customer", r.customer, "error", err)
	}
	return news
}

// keep keeps what Reapit said last. Before Reapit said anything, and while
// another replica asks it, it recalls.
func (r *roster) keep(ctx context.Context, s Store, leads bool) error {
	r.mu.RLock()
	read, unkept, known := r.read, r.unkept && len(r.read.Negotiators) > 0, r.book != nil
	r.mu.RUnlock()
	switch {
	case unkept:
		err := s.Keep(ctx, r.customer, read)
		if err == nil {
			r.mu.Lock()
			r.unkept = !r.read.At.Equal(read.At)
			r.mu.Unlock()
		}
		return err
	case leads && known:
		return nil
	}
	kept, err := s.Recall(ctx, r.customer)
	if err == nil {
		r.adopt(kept)
	}
	return err
}

// adopt takes a kept reading for the list, unless what there is is as new.
func (r *roster) adopt(kept Reading) {
	list := newBook(kept.Negotiators)
	r.mu.Lock()
	old, newer := r.book, r.book == nil || kept.At.After(r.readAt)
	if newer {
		r.book, r.readAt, r.kept = list, kept.At, true
	}
	r.mu.Unlock()
	switch {
	case !newer:
	case old == nil:
		r.news()
		r.log.Info("negotiators are those that were read last, until this replica reads them", "customer", r.customer,
			"negotiators", len(list.all), "active", list.count, "read_at", kept.At, "age", time.Since(kept.At).Round(time.Second).String())
	default:
		r.report(old, list, false)
	}
}
