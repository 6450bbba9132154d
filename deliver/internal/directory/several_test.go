package directory_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

// crms has a list for each customer, or an error.
type crms struct {
	mu    sync.Mutex
	lists map[string][]reapit.Negotiator
	asked map[string][]time.Time
	slow  time.Duration
	busy  int
	most  int
}

func (c *crms) Negotiators(_ context.Context, customer string) ([]reapit.Negotiator, error) {
	c.mu.Lock()
	c.asked[customer] = append(c.asked[customer], time.Now())
	list, ok := c.lists[customer]
	c.busy++
	c.most = max(c.most, c.busy)
	c.mu.Unlock()
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	if !ok {
		return nil, errors.New("down")
	}
	return list, nil
}

func (c *crms) set(customer string, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ids == nil {
		delete(c.lists, customer)
		return
	}
	c.lists[customer] = nil
	for _, id := range ids {
		c.lists[customer] = append(c.lists[customer], reapit.Negotiator{ID: id, Email: "jane@agency.example", Active: true})
	}
}

func (c *crms) times(customer string) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked[customer])
}

func tenants(t *testing.T, file string) directory.Tenants {
	t.Helper()
	parsed, err := directory.ParseTenants([]byte(file), "GB")
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// several is a directory of several customers that runs.
func several(t *testing.T, file string) (d *directory.Directory, source *crms, log *lines) {
	t.Helper()
	source = &crms{lists: map[string][]reapit.Negotiator{}, asked: map[string][]time.Time{}}
	log = &lines{}
	d = directory.New(source, directory.Settings{Tenants: tenants(t, file), Refresh: 6 * time.Hour, Log: slog.New(slog.NewJSONHandler(log, nil))})
	d.Lead(true)
	return d, source, log
}

func running(t *testing.T, d *directory.Directory) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// told is who Jane is in an organization.
func told(d *directory.Directory, organization string) string {
	id, cause, _ := d.Organization(organization).Negotiator(event.User{UserID: "u", UserName: "jane@agency.example"})
	return id + cause
}

const both = orgA + ": {customer: RES}\n" + orgB + ": {customer: SBOX, negotiators: {u: TST}}\n" + orgC + ": {customer: RES}\n"

func TestEachOrganizationHasItsCustomersNegotiators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, source, log := several(t, both)
		source.set("RES", "JAS")
		source.set("SBOX", "JAN")
		running(t, d)
		synctest.Wait()
		got := []string{told(d, orgA), told(d, orgB), told(d, orgC), told(d, "elsewhere")}
		if !slices.Equal(got, []string{"JAS", "TST", "JAS", "no-customer"}) {
			t.Error(got)
		}
		if len(source.times("RES")) != 1 {
			t.Error("one customer is read once, whatever organizations are it")
		}
		told(d, "elsewhere")
		if said := log.named(t, "user is no negotiator"); len(said) != 1 || said[0]["reason"] != "the organization is no customer of Reapit's" {
			t.Errorf("%v", said)
		}
		if n := d.Unmapped(); !maps.Equal(n, map[string]int{"no-customer": 1}) {
			t.Error(n)
		}
	})
}

// Who can be read is known, whatever becomes of the others.
func TestOneCustomerThatCannotBeReadHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, source, _ := several(t, both)
		waited := make(chan error, 1)
		go func() { waited <- d.Wait(t.Context()) }()
		running(t, d)
		time.Sleep(time.Minute)
		select {
		case err := <-waited:
			t.Error("nobody is known", err)
		default:
		}
		source.set("SBOX", "JAN")
		time.Sleep(time.Minute)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if o := d.Organization(orgA); o.Known || !o.Served || !d.Organization(orgB).Known || told(d, orgA) != "not-loaded" {
			t.Errorf("%+v", o)
		}
		states := d.States()
		if states[0].Customer != "RES" || states[0].Known || states[0].Trouble == nil || !states[1].Known || states[1].Trouble != nil {
			t.Errorf("%+v", states)
		}
	})
}

func TestTenantsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, source, _ := several(t, orgA+": {customer: RES}\n")
		source.set("RES", "JAS")
		source.set("SBOX", "JAN")
		kept := &shelf{}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.Remember(ctx, kept) }()
		t.Cleanup(func() { stop(); <-done })
		running(t, d)
		time.Sleep(time.Hour)
		before := d.Organization(orgA)
		d.Apply(tenants(t, orgA+": {customer: SBOX}\n"))
		if o := d.Organization(orgA); o.Known || o.Customer != "SBOX" {
			t.Errorf("%+v", o)
		}
		if id, _, _ := before.Negotiator(event.User{UserID: "u", UserName: "jane@agency.example"}); id != "JAS" || before.Customer != "RES" {
			t.Error("what was looked up changes")
		}
		synctest.Wait()
		if told(d, orgA) != "JAN" || source.times("SBOX")[0].Sub(source.times("RES")[0]) != time.Hour {
			t.Error("a new customer is not read at once", told(d, orgA))
		}
		asked := len(source.times("RES"))
		time.Sleep(24 * time.Hour)
		if len(source.times("RES")) != asked {
			t.Error("who is no customer any more is read")
		}
		d.Apply(tenants(t, orgB+": {customer: SBOX}\n"))
		if told(d, orgA) != "no-customer" || told(d, orgB) != "JAN" {
			t.Error(told(d, orgA), told(d, orgB))
		}
	})
}

// Many are read a few at a time, and do not come together again.
func TestReadingsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, source, _ := several(t, orgA+": {customer: AAA}\n"+orgB+": {customer: BBB}\n"+orgC+": {customer: CCC}\n")
		source.slow = time.Second
		for _, customer := range []string{"AAA", "BBB", "CCC"} {
			source.set(customer, "JAS")
		}
		running(t, d)
		time.Sleep(18 * time.Hour)
		source.mu.Lock()
		most := source.most
		source.mu.Unlock()
		if most != 2 {
			t.Errorf("%d at a time", most)
		}
		var second []time.Time
		for _, customer := range []string{"AAA", "BBB", "CCC"} {
			all := source.times(customer)
			if len(all) < 4 || all[1].Sub(all[0]) < 3*time.Hour || all[1].Sub(all[0]) > 6*time.Hour+10*time.Second || all[3].Sub(all[2]) < 6*time.Hour {
				t.Errorf("%s: %v", customer, all)
			}
			second = append(second, all[1])
		}
		slices.SortFunc(second, time.Time.Compare)
		if second[1].Sub(second[0]) < 10*time.Second || second[2].Sub(second[1]) < 10*time.Second {
			t.Errorf("%v", second)
		}
	})
}

// What another replica keeps meanwhile is found.
func TestWhatIsKeptLaterIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &shelf{}
		source := &crm{err: errors.New("down")}
		d, log, end := begin(t, source, kept)
		defer end()
		time.Sleep(10 * time.Minute)
		if ok, _, _ := loaded(d); ok || len(log.named(t, "no negotiators from an earlier start")) != 1 {
			t.Error("known, or told again and again")
		}
		if err := kept.Keep(t.Context(), "RES", directory.Reading{At: time.Now(), Negotiators: people()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		if !isKept(d) || jane(d) != "JAS" {
			t.Error("it is not found")
		}
	})
}
