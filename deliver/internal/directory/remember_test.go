package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

// shelf keeps readings as the program would write them.
type shelf struct {
	mu         sync.Mutex
	list, mark []byte
	err        error
	asked      []time.Time
}

func (s *shelf) Recall(_ context.Context, customer string) (directory.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.err != nil {
		return directory.Reading{}, s.err
	}
	return directory.Decode(customer, s.list, s.mark)
}

func (s *shelf) Keep(_ context.Context, customer string, r directory.Reading) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.err == nil {
		s.list, s.mark, s.err = r.Encode(customer)
	}
	return s.err
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *shelf) reading(t *testing.T) directory.Reading {
	t.Helper()
	r, err := s.Recall(t.Context(), "RES")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// begin runs the directory of who leads, with a shelf; end ends it.
func begin(t *testing.T, source directory.Source, s directory.Store) (d *directory.Directory, log *lines, end func()) {
	t.Helper()
	d, log, end = attend(t, source, s)
	d.Lead(true)
	return d, log, end
}

// attend runs that of a standby.
func attend(t *testing.T, source directory.Source, s directory.Store) (d *directory.Directory, log *lines, end func()) {
	t.Helper()
	d, log = open(t, source, "")
	d.Lead(false)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	running.Go(func() { d.Remember(ctx, s) })
	return d, log, func() { stop(); running.Wait() }
}

func jane(d *directory.Directory) string {
	id, _, _ := d.Organization("o").Negotiator(event.User{UserID: "u", UserName: "jane@agency.example"})
	return id
}

// A start while Reapit is down has the list of the one before, and its age.
func TestWhatWasReadOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, kept := &crm{list: people()}, &shelf{}
		_, _, end := begin(t, source, kept)
		time.Sleep(7 * time.Hour) // it is read anew after six
		end()
		source.set(errors.New("down"))
		time.Sleep(2 * time.Hour)

		d, log, end := begin(t, source, kept)
		synctest.Wait()
		if ok, count, age := loaded(d); !ok || count != 5 || age != 3*time.Hour || !isKept(d) || jane(d) != "JAS" {
			t.Error(ok, count, age, isKept(d), jane(d))
		}
		said := log.named(t, "negotiators are those that were read last, until this replica reads them")
		if len(said) != 1 || said[0]["age"] != "3h0m0s" || said[0]["active"] != 5.0 {
			t.Errorf("%v", said)
		}
		time.Sleep(time.Hour)
		if _, _, age := loaded(d); age != 4*time.Hour {
			t.Errorf("age %s", age)
		}
		asked := source.times()
		if last := asked[len(asked)-1].Sub(asked[len(asked)-2]); last > 2*time.Minute {
			t.Errorf("Reapit is asked every %s while the list is an earlier start's", last)
		}

		source.set(nil, append(people()[1:], reapit.Negotiator{ID: "NEW", Email: "new@agency.example", Active: true})...)
		time.Sleep(2 * time.Minute)
		if _, _, age := loaded(d); age > 2*time.Minute || isKept(d) || jane(d) != "" {
			t.Error(age, isKept(d), jane(d))
		}
		diff := log.named(t, "negotiators changed")
		if len(log.named(t, "negotiators read")) != 1 || len(diff) != 1 || fmt.Sprint(diff[0]["added"], diff[0]["removed"], diff[0]["changed"]) != "[NEW] [JAS] <nil>" {
			t.Errorf("%v", diff)
		}
		if r := kept.reading(t); len(r.Negotiators) != len(people()) {
			t.Errorf("%v", r)
		}
		end()
	})
}

// Who begins to lead knows at once who was known before, and then who is.
func TestWhatIsKeptServesUntilReapitAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &shelf{}
		if err := kept.Keep(t.Context(), "RES", directory.Reading{At: time.Now(), Negotiators: people()}); err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		d, _, end := begin(t, slowly{&crm{list: people()[1:]}, time.Second}, kept)
		if err := d.Wait(t.Context()); err != nil || !isKept(d) || jane(d) != "JAS" || time.Since(from) > 0 {
			t.Error(err, isKept(d), jane(d), time.Since(from))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if isKept(d) || jane(d) != "" {
			t.Error("what Reapit said is not used", jane(d))
		}
		end()
	})
}

// Reapit's limits are for all replicas together: only who leads asks it. A
// standby knows what the leader has read, and asks as soon as it leads.
func TestAStandbyAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, asked := &shelf{}, &crm{list: people()}
		leader, _, end := begin(t, asked, kept)
		synctest.Wait()
		idle := &crm{list: people()}
		standby, log, over := attend(t, idle, kept)
		if err := standby.Wait(t.Context()); err != nil || jane(standby) != "JAS" {
			t.Fatal(err, jane(standby))
		}
		asked.set(nil, people()[1:]...)
		time.Sleep(6*time.Hour + 2*time.Minute)
		if jane(leader) != "" || jane(standby) != "" || len(log.named(t, "negotiators changed")) != 1 {
			t.Errorf("leader %q, standby %q", jane(leader), jane(standby))
		}
		time.Sleep(5 * time.Hour)
		if _, _, age := loaded(standby); age > 6*time.Hour || len(idle.times()) != 0 {
			t.Errorf("age %s, asked %d times", age, len(idle.times()))
		}
		end()
		standby.Lead(true)
		synctest.Wait()
		if len(idle.times()) != 1 || isKept(standby) || jane(standby) != "JAS" {
			t.Error(len(idle.times()), isKept(standby), jane(standby))
		}
		standby.Lead(false)
		time.Sleep(24 * time.Hour)
		if len(idle.times()) != 1 {
			t.Errorf("asked %d times by who leads no more", len(idle.times()))
		}
		over()
	})
}

// Where nothing is kept, somebody has to begin.
func TestAFirstStartAsksBeforeAnybodyLeads(t *testing.T) {
	for name, s := range map[string]*shelf{"nothing kept": {}, "no store": {err: errors.New("not permitted")}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _, end := attend(t, &crm{list: people()}, s)
				if err := d.Wait(t.Context()); err != nil || jane(d) != "JAS" || isKept(d) {
					t.Error(err, jane(d))
				}
				end()
			})
		})
	}
}

type slowly struct {
	*crm
	after time.Duration
}

func (s slowly) Negotiators(ctx context.Context, customer string) ([]reapit.Negotiator, error) {
	select {
	case <-time.After(s.after):
	case <-ctx.Done():
	}
	return s.crm.Negotiators(ctx, customer)
}

// An empty answer is no reason to forget whom an earlier start knew.
func TestAnEmptyAnswerReplacesNothingKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, kept := &crm{list: people()}, &shelf{}
		_, _, end := begin(t, source, kept)
		synctest.Wait()
		end()
		source.set(errors.New("down"))
		d, _, end := begin(t, source, kept)
		synctest.Wait()
		source.set(nil)
		time.Sleep(time.Hour)
		if ok, _, _ := loaded(d); !ok || !isKept(d) || jane(d) != "JAS" || len(kept.reading(t).Negotiators) == 0 {
			t.Error(ok, isKept(d), jane(d))
		}
		end()
	})
}

func TestAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, kept := &crm{list: people()}, &shelf{err: errors.New("not permitted")}
		d, log, end := begin(t, source, kept)
		time.Sleep(24 * time.Hour)
		if told := log.named(t, "negotiators are not kept for the next start"); len(told) != 1 || told[0]["error"] != "not permitted" {
			t.Errorf("%v", told)
		}
		if n := len(kept.times()); n < 10 || n > 60 || jane(d) != "JAS" {
			t.Errorf("asked %d times; jane is %q", n, jane(d))
		}
		kept.fail(nil)
		time.Sleep(2 * time.Hour)
		if r := kept.reading(t); !r.Same(directory.Reading{Negotiators: people()}) {
			t.Errorf("%v", r)
		}
		end()
	})
}

func TestARecallIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &shelf{}
		if err := kept.Keep(t.Context(), "RES", directory.Reading{At: time.Now(), Negotiators: people()}); err != nil {
			t.Fatal(err)
		}
		kept.fail(errors.New("no answer"))
		d, _, end := begin(t, &crm{err: errors.New("down")}, kept)
		time.Sleep(10 * time.Second)
		if ok, _, _ := loaded(d); ok {
			t.Fatal("known")
		}
		kept.fail(nil)
		if err := d.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		end()
	})
}

// What cannot be used is as none; the log says why, and nothing of what it holds.
func TestWhatIsNoUseIsAsNone(t *testing.T) {
	const person = `"negotiators":[{"id":"JAS","email":"jane@agency.example","active":true}]`
	for list, want := range map[string]string{
		``:                                    "no list of negotiators",
		`jane@agency.example`:                 "no list of negotiators",
		`{"jane@agency.example":1}`:           "no list of negotiators",
		`{"version":2,"people":{}}`:           "of version 2, not 1",
		`{"version":1,"customer":"RES"}`:      "the list is empty",
		`{"version":1,"negotiators":"jane@"}`: "damaged",
		`{"version":1,"customer":"RES","negotiators":[{"email":"jane@agency.example"}]}`: "damaged",
		`{"version":1,"customer":"OTH","readAt":"2026-01-01T00:00:00Z",` + person + `}`:  "another customer's",
	} {
		synctest.Test(t, func(t *testing.T) {
			d, log, end := begin(t, &crm{err: errors.New("down")}, &shelf{list: []byte(list)})
			time.Sleep(time.Minute)
			told := log.named(t, "no negotiators from an earlier start")
			if ok, _, _ := loaded(d); ok || len(told) != 1 || !strings.Contains(fmt.Sprint(told[0]["error"]), want) || strings.Contains(fmt.Sprint(told), "@") {
				t.Errorf("%s: %v", list, told)
			}
			end()
		})
	}
}

// Only what the matching needs is kept.
func TestNothingElseIsKept(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	list, mark, err := directory.Reading{At: at, Negotiators: people()[:2]}.Encode("RES")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"customer":"RES","readAt":"2026-11-22T09:00:00Z","negotiators":[` +
		`{"id":"JAS","email":"jane@agency.example","active":true},{"id":"TOM","email":"tom@agency.example","active":true}]}`
	if string(list) != want {
		t.Errorf("%s", list)
	}
	later := directory.Reading{At: at.Add(time.Hour), Negotiators: people()[:2]}
	_, again, err := later.Encode("RES")
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := directory.Reading{At: at.Add(2 * time.Hour), Negotiators: people()}.Encode("RES")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mark []byte
		want time.Time
	}{{nil, at}, {mark, at}, {again, later.At}, {other, at}, {[]byte("?"), at}} {
		if r, err := directory.Decode("RES", list, c.mark); err != nil || !r.At.Equal(c.want) {
			t.Errorf("%s: %s, %v", c.mark, r.At, err)
		}
	}
}

func TestUsersWithoutNegotiatorAreCounted(t *testing.T) {
	source := &crm{list: people()}
	d, _ := open(t, source, "gone@agency.example=OLD")
	ask := func(want string) {
		t.Helper()
		if err := d.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, name := range []string{"", "jane@a", "tim@a", "twin@agency.example", "old@agency.example", "gone@agency.example", "tom@agency.example"} {
				d.Organization("o").Negotiator(event.User{UserID: "id " + name, UserName: name})
			}
		}
		if got := fmt.Sprint(d.Unmapped()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	ask("map[ambiguous:1 inactive:1 no-name:1 nobody:2 retired:1]")
	source.set(nil, append(people()[:4], people()[5:]...)...) // one twin is gone
	ask("map[inactive:1 no-name:1 nobody:2 retired:1]")
}
