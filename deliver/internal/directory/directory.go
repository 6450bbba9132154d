package directory

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

// Source lists a customer's negotiators, active and inactive.
type Source interface {
	Negotiators(ctx context.Context, customer string) ([]reapit.Negotiator, error)
}

// Settings of a Directory.
type Settings struct {
	Tenants Tenants
	Refresh time.Duration // NEGOTIATOR_REFRESH; zero is six hours
	Log     *slog.Logger  // nil is slog's default
}

// readers is how many customers' lists are read at a time: what rings waits
// behind no more requests than these.
const readers = 2

// Directory may be used concurrently.
type Directory struct {
	source  Source
	refresh time.Duration
	log     *slog.Logger
	turns   chan struct{}
	duty    duty
	told    reports

	mu      sync.RWMutex
	tenants Tenants
	rosters map[string]*roster // by customer
	changed chan struct{}      // closed when there are other rosters, or one has its list
}

// New makes a Directory without any list; Run fills it.
func New(source Source, s Settings) *Directory {
	if s.Refresh <= 0 {
		s.Refresh = usualRefresh
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	d := &Directory{
		source: source, refresh: s.Refresh, log: s.Log, turns: make(chan struct{}, readers),
		duty: duty{turned: make(chan struct{})}, told: reports{last: map[string]miss{}}, changed: make(chan struct{}),
	}
	d.Apply(s.Tenants)
	return d
}

// Apply takes other tenants. A customer who was one before keeps the list; of a
// new one it is read at once; of one who is none any more it is forgotten.
func (d *Directory) Apply(t Tenants) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rosters := map[string]*roster{}
	for _, customer := range t.customers {
		rosters[customer] = d.rosters[customer]
		if rosters[customer] == nil {
			rosters[customer] = d.roster(customer, len(t.customers) == 1)
		}
	}
	d.tenants, d.rosters = t, rosters
	d.wake()
}

func (d *Directory) roster(customer string, alone bool) *roster {
	r := &roster{
		customer: customer, source: d.source, refresh: d.refresh, first: d.refresh, turns: d.turns, log: d.log,
		duty: &d.duty, bare: make(chan struct{}), fresh: make(chan struct{}, 1), news: d.arrived, helpless: d.helpless,
	}
	if !alone {
		r.first = spread(customer, d.refresh)
	}
	return r
}

// spread keeps customers whose lists were read together from being read
// together ever after: the second time comes early, for each at another moment.
func spread(customer string, refresh time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(customer))
	return refresh/2 + refresh/2*time.Duration(h.Sum32()%1000)/1000
}

func (d *Directory) arrived() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake()
}

// Lead says whether it is this replica that delivers, and so reads Reapit.
func (d *Directory) Lead(on bool) { d.duty.set(on) }

// helpless reports whether no list at all is known.
func (d *Directory) helpless() bool {
	rosters, _ := d.present()
	return !slices.ContainsFunc(rosters, func(r *roster) bool { return r.known() != nil })
}

func (d *Directory) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// Run reads every customer's list while this replica leads, and reads it again
// every Refresh or soon after a reading that failed, until ctx is done. Who does
// not lead reads only for want of any list: Reapit's limits are for all replicas
// together, and the one that delivers keeps them.
func (d *Directory) Run(ctx context.Context) {
	d.tend(ctx, func(ctx context.Context, r *roster) { r.run(ctx) })
}

// Remember uses the store's reading of a customer until Reapit's first, follows
// it while another replica leads, and keeps each of Reapit's, until ctx is done. What the store cannot do is told and keeps
// nothing else from working.
func (d *Directory) Remember(ctx context.Context, s Store) {
	d.tend(ctx, func(ctx context.Context, r *roster) { r.remember(ctx, s) })
}

// tend works for each roster for as long as there is one, until ctx is done.
func (d *Directory) tend(ctx context.Context, work func(context.Context, *roster)) {
	var all sync.WaitGroup
	defer all.Wait()
	running := map[*roster]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	for ctx.Err() == nil {
		rosters, changed := d.present()
		for r, stop := range running {
			if !slices.Contains(rosters, r) {
				stop()
				delete(running, r)
			}
		}
		for _, r := range rosters {
			if running[r] == nil {
				life, stop := context.WithCancel(ctx)
				running[r] = stop
				all.Go(func() { work(life, r) })
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// present are the rosters in the order of the tenants, and what is closed when
// something about them is another.
func (d *Directory) present() ([]*roster, <-chan struct{}) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]*roster, len(d.tenants.customers))
	for i, customer := range d.tenants.customers {
		all[i] = d.rosters[customer]
	}
	return all, d.changed
}

// Load reads every list once. What was known before stays where that fails.
func (d *Directory) Load(ctx context.Context) error {
	rosters, _ := d.present()
	var errs []error
	for _, r := range rosters {
		errs = append(errs, r.load(ctx))
	}
	return errors.Join(errs...)
}

// States tells of each customer's list, in the order of the tenants.
func (d *Directory) States() []State {
	rosters, _ := d.present()
	all := make([]State, len(rosters))
	for i, r := range rosters {
		all[i] = r.state()
	}
	return all
}

// Customers are all customers that there are to Reapit, the first of the tenants
// first.
func (d *Directory) Customers() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.tenants.customers)
}

// Wait returns when the list of some customer is there, or with the error of
// ctx. The events of the others wait, each for theirs.
func (d *Directory) Wait(ctx context.Context) error {
	for {
		rosters, changed := d.present()
		if slices.ContainsFunc(rosters, func(r *roster) bool { return r.known() != nil }) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the negotiators: %w", ctx.Err())
		}
	}
}

// Organization is what an organization is to Reapit at one moment: tenants and
// lists that change meanwhile do not change it.
type Organization struct {
	Tenant
	Served bool // it is a customer of Reapit's
	Known  bool // who its users are can be told: its list is there, or it is no customer

	id   string
	book *book
	told *reports
	log  *slog.Logger
}

// Organization looks one up.
func (d *Directory) Organization(id string) Organization {
	d.mu.RLock()
	defer d.mu.RUnlock()
	o := Organization{Known: true, id: id, told: &d.told, log: d.log}
	if o.Tenant, o.Served = d.tenants.find(id); o.Served {
		o.book = d.rosters[o.Customer].known()
		o.Known = o.book != nil
	}
	return o
}

// Negotiator is who a user is to Reapit. Without an id, the cause says why in
// one word and the reason in several.
func (o Organization) Negotiator(u event.User) (id, cause, reason string) {
	missing := miss{why: stranger}
	if o.Served {
		id, missing = o.book.find(o.Overrides, u)
	}
	// What is for want of a list will be asked again, and is no fault of the user's.
	if missing.why != notLoaded && o.told.isNew(o.id+"/"+u.UserID+"/"+normal(u.UserName), missing) {
		o.log.Warn("user is no negotiator", "organization", o.id, "user_id", u.UserID, "reason", missing.String())
	}
	return id, missing.why, missing.String()
}

// Unmapped is how many users were no negotiator when they were last asked for,
// by reason.
func (d *Directory) Unmapped() map[string]int { return d.told.count() }

// difference tells in words what is another in newer tenants.
func (d *Directory) difference(newer Tenants) (added, removed, changed []string) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(newer.of)) {
		was, known := d.tenants.of[id]
		switch {
		case !known:
			added = append(added, id)
		case !was.same(newer.of[id]):
			changed = append(changed, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.tenants.of)) {
		if _, still := newer.of[id]; !still {
			removed = append(removed, id)
		}
	}
	return added, removed, changed
}
