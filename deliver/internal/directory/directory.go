package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

// ErrEmpty is wrapped by a reading that found nobody where there were some.
var ErrEmpty = errors.New("nobody is listed any more")

// Source lists a customer's negotiators, active and inactive.
type Source interface {
	Negotiators(ctx context.Context, customer string) ([]reapit.Negotiator, error)
}

// Settings of a single tenant.
type Settings struct {
	Customer  string        // REAPIT_CUSTOMER
	Region    string        // NUMBER_REGION
	Overrides Overrides     // NEGOTIATOR_OVERRIDES
	Refresh   time.Duration // NEGOTIATOR_REFRESH; zero is six hours
	Log       *slog.Logger  // nil is slog's default
}

const (
	usualRefresh = 6 * time.Hour
	firstRetry   = time.Second
	lastRetry    = time.Minute      // while there is no list, or only an earlier start's
	lateRetry    = 15 * time.Minute // while there is an old one
)

// Directory may be used concurrently.
type Directory struct {
	source   Source
	settings Settings
	log      *slog.Logger
	loaded   chan struct{} // closed by the first list
	tried    chan struct{} // closed when Reapit was asked once
	ask      sync.Once     // of tried
	fresh    chan struct{} // has one after a reading
	told     reports

	mu      sync.RWMutex
	book    *book
	readAt  time.Time
	kept    bool      // the book is an earlier start's
	read    Reading   // Reapit's newest of this one
	trouble error     // of the newest reading; nil when it succeeded
	since   time.Time // of the first that failed
}

// New makes an empty Directory; Run fills it.
func New(source Source, settings Settings) *Directory {
	if settings.Refresh <= 0 {
		settings.Refresh = usualRefresh
	}
	log := settings.Log
	if log == nil {
		log = slog.Default()
	}
	return &Directory{
		source: source, settings: settings, log: log,
		loaded: make(chan struct{}), tried: make(chan struct{}), fresh: make(chan struct{}, 1),
		told: reports{last: map[string]miss{}},
	}
}

// Run reads the list, and reads it again every Refresh or soon after a
// reading that failed, until ctx is done. It returns nil then.
func (d *Directory) Run(ctx context.Context) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval = firstRetry
	for {
		wait := d.settings.Refresh
		if err := d.Load(ctx); err == nil {
			retry.Reset()
		} else if ctx.Err() == nil {
			retry.MaxInterval = d.patience()
			wait = min(retry.NextBackOff(), d.settings.Refresh)
			d.failed(err, wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (d *Directory) patience() time.Duration {
	if ok, _, _ := d.Loaded(); ok && !d.Kept() {
		return lateRetry
	}
	return lastRetry
}

func (d *Directory) failed(err error, wait time.Duration) {
	ok, _, age := d.Loaded()
	d.log.Warn("negotiators not read", "customer", d.settings.Customer, "error", err,
		"retry_in", wait.Round(time.Millisecond).String(), "keeps_old", ok, "age", age.Round(time.Second).String())
}

// Load reads the list once. What was known before stays when it fails.
func (d *Directory) Load(ctx context.Context) error {
	err := d.load(ctx)
	d.ask.Do(func() { close(d.tried) })
	if ctx.Err() != nil && err != nil {
		return err // ours, and no trouble
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble == nil {
		d.since = time.Now()
	}
	d.trouble = err
	return err
}

func (d *Directory) load(ctx context.Context) error {
	list, err := d.source.Negotiators(ctx, d.settings.Customer)
	if err != nil {
		return err
	}
	read := newBook(list)
	d.mu.Lock()
	old, kept := d.book, d.kept
	if old != nil && len(read.all) == 0 && len(old.all) > 0 {
		d.mu.Unlock()
		return fmt.Errorf("read negotiators of %s: %w", d.settings.Customer, ErrEmpty)
	}
	d.book, d.readAt, d.kept = read, time.Now(), false
	d.read = Reading{At: d.readAt, Negotiators: list}
	if old == nil {
		close(d.loaded)
	}
	d.mu.Unlock()
	select {
	case d.fresh <- struct{}{}:
	default: // what is there already means this one, too
	}
	d.report(old, read, kept)
	return nil
}

// report tells of the first reading, and of what is another in a later one.
func (d *Directory) report(old, read *book, kept bool) {
	log := d.log.With("customer", d.settings.Customer, "negotiators", len(read.all), "active", read.count)
	if old == nil || kept {
		log.Info("negotiators read")
	}
	if diff := read.since(old); !diff.empty() {
		log.Info("negotiators changed", "added", diff.added, "removed", diff.removed, "changed", diff.changed)
	}
}

// Loaded tells whether there is a list, how many active negotiators it has and
// how old it is.
func (d *Directory) Loaded() (ok bool, count int, age time.Duration) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.book == nil {
		return false, 0, 0
	}
	return true, d.book.count, max(0, time.Since(d.readAt)) // an earlier start's clock may have been another
}

// Trouble is since when and why the list cannot be read; nil while it can.
func (d *Directory) Trouble() (since time.Time, err error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.since, d.trouble
}

// Customers are all customers that there are to Reapit.
func (d *Directory) Customers() []string { return []string{d.settings.Customer} }

// Wait returns when there is a list, or with the error of ctx.
func (d *Directory) Wait(ctx context.Context) error {
	select {
	case <-d.loaded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the negotiators: %w", ctx.Err())
	}
}

// Tenant is the customer that an organization is to Reapit, and the region of
// its national numbers. There is one for all organizations so far.
func (d *Directory) Tenant(string) (customer, region string, ok bool) {
	return d.settings.Customer, d.settings.Region, d.settings.Customer != ""
}

// Negotiator is who a user of an organization is to Reapit. Without an id, the
// cause says why in one word and the reason in several.
func (d *Directory) Negotiator(organizationID string, u event.User) (id, cause, reason string) {
	if _, _, ok := d.Tenant(organizationID); !ok {
		return "", stranger, inFull[stranger]
	}
	d.mu.RLock()
	b := d.book
	d.mu.RUnlock()
	id, missing := b.find(d.settings.Overrides, u)
	// What is for want of a list will be asked again, and is no fault of the user's.
	if missing.why != notLoaded && d.told.isNew(organizationID+"/"+u.UserID+"/"+normal(u.UserName), missing) {
		d.log.Warn("user is no negotiator", "organization", organizationID, "user_id", u.UserID, "reason", missing.String())
	}
	return id, missing.why, missing.String()
}

// Unmapped is how many users were no negotiator when they were last asked for,
// by reason.
func (d *Directory) Unmapped() map[string]int { return d.told.count() }
