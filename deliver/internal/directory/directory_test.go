package directory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crm answers with whatever it holds at the moment.
type crm struct {
	mu     sync.Mutex
	list   []reapit.Negotiator
	err    error
	asked  []time.Time
	tenant string
}

func (c *crm) Negotiators(ctx context.Context, customer string) ([]reapit.Negotiator, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.tenant = append(c.asked, time.Now()), customer
	return slices.Clone(c.list), errors.Join(c.err, ctx.Err())
}

func (c *crm) set(err error, list ...reapit.Negotiator) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.err = list, err
}

func (c *crm) times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// lines is the log as JSON, one message an item.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) all(t *testing.T) []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(l.b.String()), "\n") {
		var m map[string]any
		if line == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func (l *lines) named(t *testing.T, message string) []map[string]any {
	return slices.DeleteFunc(l.all(t), func(m map[string]any) bool { return m["msg"] != message })
}

func people() []reapit.Negotiator {
	return []reapit.Negotiator{
		{ID: "JAS", Email: "jane@agency.example", Active: true},
		{ID: "TOM", Email: " Tom@Agency.example ", Active: true},
		{ID: "TOX", Email: "tom@agency.example"},
		{ID: "TW1", Email: "twin@agency.example", Active: true},
		{ID: "TW2", Email: "TWIN@agency.example", Active: true},
		{ID: "OLD", Email: "old@agency.example"},
		{ID: "NON", Active: true},
	}
}

// open makes the directory of who leads.
func open(t *testing.T, source directory.Source, overrides string) (*directory.Directory, *lines) {
	t.Helper()
	o, err := directory.ParseOverrides(overrides)
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	d := directory.New(source, directory.Settings{
		Tenants: directory.Single(directory.Tenant{Customer: "RES", Region: "GB", Overrides: o}), Refresh: 6 * time.Hour, Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	d.Lead(true)
	return d, log
}

// Of the one customer there is:

func loaded(d *directory.Directory) (ok bool, active int, age time.Duration) {
	s := d.States()[0]
	return s.Known, s.Active, s.Age
}

func trouble(d *directory.Directory) (time.Time, error) {
	s := d.States()[0]
	return s.Since, s.Trouble
}

func isKept(d *directory.Directory) bool { return d.States()[0].Kept }

func TestNegotiator(t *testing.T) {
	source := &crm{list: people()}
	d, log := open(t, source, "boss@agency.example=JAS, U-7 =TW2,gone@agency.example=OLD,u-8=XYZ,jane2@agency.example=jas")
	if err := d.Load(t.Context()); err != nil || source.tenant != "RES" {
		t.Fatal(source.tenant, err)
	}
	for name, c := range map[string]struct{ userID, userName, id, reason string }{
		"by e-mail":                   {"u-1", "jane@agency.example", "JAS", ""},
		"in any casing, trimmed":      {"u-1", " Jane@AGENCY.Example ", "JAS", ""},
		"the other is inactive":       {"u-2", "tom@agency.example", "TOM", ""},
		"two active ones":             {"u-3", "twin@agency.example", "", "several active negotiators have the user's e-mail address: TW1, TW2"},
		"only an inactive one":        {"u-4", "old@agency.example", "", "only inactive negotiators have the user's e-mail address: OLD"},
		"nobody":                      {"u-5", "nobody@agency.example", "", "no active negotiator has the user's e-mail address"},
		"no name":                     {"u-6", " ", "", "the user has no name to match and no override"},
		"neither id nor name":         {"", "", "", "the user has no name to match and no override"},
		"override by name":            {"u-1", "BOSS@agency.example", "JAS", ""},
		"override by id":              {"u-7", "twin@agency.example", "TW2", ""},
		"override by id first":        {"u-7", "boss@agency.example", "TW2", ""},
		"override of a user unnamed":  {"U-7", "", "TW2", ""},
		"override to an inactive one": {"u-1", "gone@agency.example", "", "the negotiator of the override is not active: OLD"},
		"override to one unlisted":    {"u-8", "jane@agency.example", "XYZ", ""},
		"override in another casing":  {"u-9", "jane2@agency.example", "JAS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			id, cause, reason := d.Organization("org-1").Negotiator(event.User{UserID: c.userID, UserName: c.userName})
			if (id == "") != slices.Contains(event.Causes(event.Unmapped), cause) || id != "" && cause != "" {
				t.Errorf("%q by %q", id, cause)
			}
			if id != c.id || reason != c.reason {
				t.Errorf("%q, %q; want %q, %q", id, reason, c.id, c.reason)
			}
		})
	}
	for _, m := range log.all(t) {
		if strings.Contains(fmt.Sprint(m), "@") {
			t.Errorf("an address is logged: %v", m)
		}
	}
}

func TestBeforeTheFirstList(t *testing.T) {
	d, log := open(t, &crm{err: errors.New("down")}, "boss@agency.example=JAS")
	if err := d.Load(t.Context()); err == nil {
		t.Error("loaded")
	}
	if id, cause, reason := d.Organization("o").Negotiator(event.User{UserID: "u", UserName: "jane@agency.example"}); id != "" || cause != "not-loaded" || reason != "the negotiators are not known yet" {
		t.Error(id, cause, reason)
	}
	if id, _, reason := d.Organization("o").Negotiator(event.User{UserID: "u", UserName: "boss@agency.example"}); id != "JAS" || reason != "" {
		t.Error(id, reason)
	}
	if ok, count, age := loaded(d); ok || count != 0 || age != 0 {
		t.Error(ok, count, age)
	}
	if all := log.all(t); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

func TestUnmappedUsersAreReportedOnceEach(t *testing.T) {
	source := &crm{list: people()}
	d, log := open(t, source, "")
	ask := func() {
		t.Helper()
		if err := d.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for _, name := range []string{"jane@agency.example", "twin@agency.example", "new@agency.example"} {
				d.Organization("org-1").Negotiator(event.User{UserID: "id of " + name[:4], UserName: name})
			}
		}
	}
	reports := func() (who []string) {
		for _, m := range log.named(t, "user is no negotiator") {
			who = append(who, m["user_id"].(string))
		}
		return who
	}
	ask()
	ask()
	if got := reports(); !slices.Equal(got, []string{"id of twin", "id of new@"}) {
		t.Errorf("%v", got)
	}
	source.set(nil, append(people()[:4], reapit.Negotiator{ID: "NEW", Email: "new@agency.example", Active: true})...) // one twin is gone
	ask()
	source.set(nil, people()...) // and is back, and the new one gone
	ask()
	if got := reports(); len(got) != 4 {
		t.Errorf("what was right in between is news: %v", got)
	}
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &crm{list: people()}
		d, log := open(t, source, "")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { d.Run(ctx); done <- nil }()
		if err := d.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if ok, count, age := loaded(d); !ok || count != 5 || age != time.Hour {
			t.Error(ok, count, age)
		}
		changed := people()
		changed[0].Email, changed[5].Active = "jane.smith@agency.example", true
		source.set(nil, append(changed[:6], reapit.Negotiator{ID: "NEW", Email: "new@agency.example", Active: true})...)
		time.Sleep(6 * time.Hour)
		if _, count, age := loaded(d); count != 6 || age != time.Hour || len(source.times()) != 2 {
			t.Error(count, age, source.times())
		}
		if id, _, _ := d.Organization("o").Negotiator(event.User{UserID: "u", UserName: "jane.smith@agency.example"}); id != "JAS" {
			t.Error(id)
		}
		diffs := log.named(t, "negotiators changed")
		if len(diffs) != 1 || fmt.Sprint(diffs[0]["added"], diffs[0]["removed"], diffs[0]["changed"], diffs[0]["active"]) != "[NEW] [NON] [JAS OLD] 6" {
			t.Errorf("%v", diffs)
		}
		time.Sleep(12 * time.Hour)
		if len(log.named(t, "negotiators changed")) != 1 || len(source.times()) != 4 {
			t.Error("the same again is no news")
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRetryWhileThereIsNoList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &crm{err: errors.New("down")}
		d, log := open(t, source, "")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go d.Run(ctx)
		hasty, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		if err := d.Wait(hasty); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		asked := source.times()
		if first := asked[1].Sub(asked[0]); first > 2*time.Second {
			t.Errorf("first retry after %s", first)
		}
		if last := asked[len(asked)-1].Sub(asked[len(asked)-2]); last < 20*time.Second || last > 2*time.Minute {
			t.Errorf("last retry after %s", last)
		}
		if n := len(log.named(t, "negotiators not read")); n != len(asked) {
			t.Errorf("%d of %d failures told", n, len(asked))
		}
		for _, m := range log.named(t, "negotiators not read") {
			if text, ok := m["retry_in"].(string); !ok || text == "0s" {
				t.Errorf("retry in %v", m["retry_in"])
			}
		}
		source.set(nil, people()...)
		if err := d.Wait(ctx); err != nil {
			t.Error(err)
		}
		stop()
		synctest.Wait()
	})
}

func TestTheOldListStaysWhenARefreshFails(t *testing.T) {
	for name, fail := range map[string]func(*crm){
		"down":          func(c *crm) { c.set(errors.New("down")) },
		"half a list":   func(c *crm) { c.set(errors.New("page 2"), people()[0]) },
		"suddenly none": func(c *crm) { c.set(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := &crm{list: people()}
				d, log := open(t, source, "")
				ctx, stop := context.WithCancel(t.Context())
				go d.Run(ctx)
				if err := d.Wait(ctx); err != nil {
					t.Fatal(err)
				}
				fail(source)
				time.Sleep(8 * time.Hour)
				if ok, count, age := loaded(d); !ok || count != 5 || age != 8*time.Hour {
					t.Error(ok, count, age)
				}
				told := log.named(t, "negotiators not read")
				if len(told) < 5 || told[0]["keeps_old"] != true || told[0]["age"] != "6h0m0s" {
					t.Errorf("%v", told)
				}
				asked := source.times()
				if last := asked[len(asked)-1].Sub(asked[len(asked)-2]); last < 7*time.Minute || last > 23*time.Minute {
					t.Errorf("last retry after %s", last)
				}
				source.set(nil, people()...)
				time.Sleep(30 * time.Minute)
				if _, _, age := loaded(d); age > 30*time.Minute {
					t.Errorf("age %s after it came back", age)
				}
				stop()
				synctest.Wait()
			})
		})
	}
}

func TestEveryOutageIsRetriedSoonAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &crm{err: errors.New("down")}
		d, _ := open(t, source, "")
		ctx, stop := context.WithCancel(t.Context())
		go d.Run(ctx)
		time.Sleep(10 * time.Minute)
		source.set(nil, people()...)
		if err := d.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		before := len(source.times())
		source.set(errors.New("down again"))
		time.Sleep(6*time.Hour + time.Minute)
		if asked := source.times()[before:]; len(asked) < 2 || asked[1].Sub(asked[0]) > 2*time.Second {
			t.Errorf("%v", asked)
		}
		stop()
		synctest.Wait()
	})
}

func TestAnEmptyCustomerIsAListToo(t *testing.T) {
	d, _ := open(t, &crm{}, "")
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok, count, _ := loaded(d); !ok || count != 0 {
		t.Error(ok, count)
	}
}

func TestTenant(t *testing.T) {
	d, _ := open(t, &crm{}, "")
	if o := d.Organization("any"); o.Customer != "RES" || o.Region != "GB" || !o.Served || o.Known {
		t.Errorf("%+v", o)
	}
	nobody := directory.New(&crm{}, directory.Settings{Tenants: directory.Single(directory.Tenant{Overrides: directory.Overrides{"u": "JAS"}})})
	if o := nobody.Organization("any"); o.Served || !o.Known {
		t.Error("a tenant without a customer")
	}
	if id, cause, reason := nobody.Organization("any").Negotiator(event.User{UserID: "u"}); id != "" || cause != "no-customer" || reason != "the organization is no customer of Reapit's" {
		t.Error(id, cause, reason)
	}
}

func TestParseOverrides(t *testing.T) {
	for list, want := range map[string]string{
		"":                                 "map[]",
		" ,, ":                             "map[]",
		"User@Agency.example=TST,AA97=JAS": "map[aa97:JAS user@agency.example:TST]",
		" jane@agency.example = TST , jane = AB12": "map[jane:AB12 jane@agency.example:TST]",
		"a=b@agency.example=TST":                   "map[a=b@agency.example:TST]",
		"u=TST,U=TST":                              "map[u:TST]",
	} {
		got, err := directory.ParseOverrides(list)
		if err != nil || fmt.Sprint(map[string]string(got)) != want {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for list, named := range map[string][]string{
		"jane":               {`"jane"`},
		"=TST":               {`"=TST"`},
		"jane=":              {`"jane="`},
		"jane=T":             {`"jane=T"`, "2 to 4"},
		"jane=T-T,tom=LONG5": {`"jane=T-T"`, `"tom=LONG5"`},
		"u=TST,ok=JAS,U=AB":  {`"U=AB"`, "TST"},
	} {
		var o directory.Overrides
		err := o.Decode(list)
		if !errors.Is(err, directory.ErrOverride) || o != nil {
			t.Errorf("%q: %v, %v", list, o, err)
			continue
		}
		for _, item := range named {
			if !strings.Contains(err.Error(), item) {
				t.Errorf("%q: %v does not name %s", list, err, item)
			}
		}
		if strings.Contains(err.Error(), `"ok=JAS"`) {
			t.Errorf("%q: %v names what is right", list, err)
		}
	}
}

func TestTheSimulatorsPeople(t *testing.T) {
	sim := reapitsim.New(reapitsim.Options{
		ClientID: "demo-client", ClientSecret: "demo-secret", Customers: []string{"RES"}, Negotiators: reapitsim.DefaultDirectory(),
	})
	server := httptest.NewServer(sim)
	defer server.Close()
	defer sim.Close()
	client := reapit.New(reapit.Config{
		APIURL: server.URL, TokenURL: server.URL + "/oauth/token", ClientID: "demo-client", ClientSecret: "demo-secret", APIVersion: "2020-01-31",
	}, nil)
	defer client.Close()
	d, _ := open(t, client, "")
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"jane@agency.example": "JAS", "tom@agency.example": "TOM", "kim.lowe@agency.example": ""} {
		if id, _, reason := d.Organization("o").Negotiator(event.User{UserID: "u", UserName: name}); id != want || (reason == "") != (want != "") {
			t.Errorf("%s: %q, %q", name, id, reason)
		}
	}
}

func TestTroubleIsKnownUntilTheListIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &crm{list: people()}
		d, _ := open(t, source, "")
		if _, err := trouble(d); err != nil {
			t.Fatal(err)
		}
		refused := errors.New("refused")
		source.set(refused)
		from := time.Now()
		for range 3 {
			if d.Load(t.Context()) == nil {
				t.Fatal("loaded")
			}
			time.Sleep(time.Minute)
		}
		if since, err := trouble(d); !errors.Is(err, refused) || !since.Equal(from) {
			t.Errorf("%v since %s", err, since)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		source.set(nil, people()...)
		_ = d.Load(t.Context())
		_ = d.Load(over)
		if _, err := trouble(d); err != nil {
			t.Errorf("still %v", err)
		}
	})
}
