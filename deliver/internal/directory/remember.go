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

// Remember uses the store's reading until Reapit's first, and keeps each of
// Reapit's, until ctx is done. What the store cannot do is told and keeps
// nothing else from working.
func (d *Directory) Remember(ctx context.Context, s Store) {
	select {
	case <-d.tried:
	case <-time.After(fresher):
	case <-ctx.Done():
		return
	}
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = firstRetry, lastKeep
	said := ""
	for ctx.Err() == nil {
		var again <-chan time.Time
		if err := d.remember(ctx, s); err == nil {
			said = ""
			retry.Reset()
		} else if ctx.Err() == nil {
			if err.Error() != said {
				said = err.Error()
				d.log.Warn("negotiators are not kept for the next start", "customer", d.settings.Customer, "error", err)
			}
			again = time.After(retry.NextBackOff())
		}
		select {
		case <-again:
		case <-d.fresh:
		case <-ctx.Done():
		}
	}
}

// remember keeps what Reapit said last or, before it said anything, recalls.
func (d *Directory) remember(ctx context.Context, s Store) error {
	d.mu.RLock()
	read, known := d.read, d.book != nil
	d.mu.RUnlock()
	switch {
	case len(read.Negotiators) > 0:
		return s.Keep(ctx, d.settings.Customer, read)
	case known:
		return nil
	}
	kept, err := s.Recall(ctx, d.settings.Customer)
	if errors.Is(err, ErrNothingKept) {
		d.log.Warn("no negotiators from an earlier start", "customer", d.settings.Customer, "error", err)
		return nil
	}
	if err == nil {
		d.adopt(kept)
	}
	return err
}

// adopt takes a kept reading for the list, unless Reapit was quicker.
func (d *Directory) adopt(kept Reading) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.book != nil {
		return
	}
	d.book, d.readAt, d.kept = newBook(kept.Negotiators), kept.At, true
	close(d.loaded)
	d.log.Warn("negotiators are those of an earlier start until Reapit can be read", "customer", d.settings.Customer,
		"negotiators", len(d.book.all), "active", d.book.count, "read_at", kept.At, "age", time.Since(kept.At).Round(time.Second).String())
}

// Kept tells whether the list is one that an earlier start has read.
func (d *Directory) Kept() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.kept
}
