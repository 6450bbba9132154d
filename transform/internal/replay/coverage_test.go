package replay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

var nine = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// feed publishes a coverage event that is dated seconds after nine.
func (r *rig) feed(instance, epoch string, kind event.FeedType, at float64, more func(*event.Feed)) {
	r.Helper()
	r.n++
	t := nine.Add(time.Duration(at * float64(time.Second)))
	f := event.Feed{Instance: instance, Epoch: epoch, Type: kind, At: t}
	if epoch != "" {
		f.HeardAt = t
		f.Live = kind == event.Heartbeat || kind == event.Subscribed
	}
	if more != nil {
		more(&f)
	}
	e, err := event.NewFeed(f, "test", uint64(r.n))
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.Fatal(err)
	}
	r.publish(topology.Feed(instance, string(kind)), header, body)
}

// answers are of the form <entity>.<event>+ or -.
func answers(items ...string) func(*event.Feed) {
	return func(f *event.Feed) {
		for _, item := range items {
			entity, name, _ := strings.Cut(item[:len(item)-1], ".")
			s := event.Subscription{EntityID: entity, EventName: name, Subscribed: item[len(item)-1] == '+'}
			if !s.Subscribed {
				s.Message = "Unauthorized"
			}
			f.Subscriptions = append(f.Subscriptions, s)
		}
	}
}

func reasoned(reason string) func(*event.Feed) { return func(f *event.Feed) { f.Reason = reason } }

// listens is a connection with all there is to subscribe.
func (r *rig) listens(instance, epoch string, at float64) {
	r.feed(instance, epoch, event.Opened, at, nil)
	r.feed(instance, epoch, event.Subscribed, at+0.25, answers(jane+".UserCallInComing+", tom+".UserCallInComing+", tom+".UserStatus-"))
}

// covers runs replay coverage at some seconds after nine.
func (r *rig) covers(now float64, args ...string) (out, errs string, code int) {
	r.Helper()
	var stdout, stderr bytes.Buffer
	at := nine.Add(time.Duration(now * float64(time.Second)))
	code = r.main(r.Context(), append([]string{"coverage"}, args...), IO{Out: &stdout, Err: &stderr, Now: at})
	return stdout.String(), stderr.String(), code
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, errs, code := r.covers(0); code != Trouble || !strings.Contains(errs, "stream RTE is empty; has ingest run?") {
		t.Errorf("empty: exit %d, said %q", code, errs)
	}
	r.raw(agencyOrg, answered, "UserCallInComing", jane)
	r.publish("feed.a.heartbeat", nil, []byte("no CloudEvent"))
	if _, errs, code := r.covers(0); code != Trouble || !strings.Contains(errs, "RTE holds no coverage event (feed.>); ingest writes one a second: has it run?") ||
		!strings.HasPrefix(errs, "1 coverage event of RTE could not be read") {
		t.Errorf("no feed events: exit %d, said %q", code, errs)
	}

	var all strings.Builder
	show := func(title string, want int, now float64, args ...string) {
		t.Helper()
		out, errs, code := r.covers(now, args...)
		for line := range strings.Lines(errs) {
			if !strings.HasPrefix(line, "1 coverage event of RTE could not be read") {
				out += "(said) " + line
			}
		}
		if code != want {
			t.Errorf("%s: exit %d, want %d", title, code, want)
		}
		fmt.Fprintf(&all, "== %s: coverage %s\n%s", title, strings.Join(args, " "), out)
	}

	r.feed("a", "", event.Heartbeat, 0, nil)
	r.feed("a", "", event.Heartbeat, 30, nil)
	show("nothing subscribed", Different, 30)
	r.listens("a", "a1", 30)
	r.listens("b", "b1", 30)
	r.feed("a", "a1", event.Heartbeat, 60, nil)
	r.feed("b", "b1", event.Heartbeat, 60, nil)
	show("covered since", Clean, 60, "--since", "2026-11-02 09:00:31")
	r.feed("a", "a1", event.Closed, 100, reasoned("lost: EOF"))
	r.feed("b", "b1", event.Heartbeat, 100, nil)
	r.feed("b", "b1", event.Closed, 110, reasoned("silent"))
	r.feed("a", "a2", event.Opened, 112, nil)
	r.feed("a", "a2", event.Subscribed, 112.5, func(f *event.Feed) {
		answers(jane + ".UserCallInComing+")(f)
		f.Live = false
	})
	r.feed("a", "a2", event.Subscribed, 115, answers(tom+".UserCallInComing+", tom+".UserStatus-"))
	r.feed("a", "a2", event.Heartbeat, 180, nil)
	show("gaps", Different, 180)
	show("json", Different, 180, "-o", "json")
	show("each replica", Different, 180, "--replicas", "--since", "2026-11-02T09:01:00Z")
	show("each replica as json", Different, 180, "--replicas", "--since", "2026-11-02T09:01:00Z", "-o", "json")
	show("days", Different, 180, "--days", "--entity", tom)
	show("days as json", Different, 180, "--days", "-o", "json")
	show("one entity", Different, 180, "--entity", strings.ToUpper(tom), "--since", "2026-11-02T09:01:54Z")
	show("between", Clean, 180, "--since", "2026-11-02T09:01:56Z", "--until", "2026-11-02T09:02:30Z")
	show("nobody speaks any more", Different, 300, "--since", "2m")
	show("before everything", Trouble, 300, "--until", "2026-11-02")
	show("of nobody", Trouble, 300, "--entity", otherOrg)
	golden(t, "coverage.txt", all.String())
}

// Many entities stand in few lines.
func TestCoverageOfMany(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var items []string
	for i := range 40 {
		items = append(items, fmt.Sprintf("%08x-0000-4000-8000-000000000000.UserStatus+", i))
	}
	r.feed("a", "a1", event.Opened, 0, nil)
	r.feed("a", "a1", event.Subscribed, 0, answers(items...))
	r.feed("a", "a1", event.Closed, 10, reasoned("stopped"))
	r.feed("a", "a2", event.Opened, 20, nil)
	r.feed("a", "a2", event.Subscribed, 20, func(f *event.Feed) {
		answers(items[:20]...)(f)
		f.Live = false
	})
	r.feed("a", "a2", event.Subscribed, 25, answers(items[20:]...))
	r.feed("a", "a2", event.Heartbeat, 60, nil)
	out, errs, code := r.covers(60)
	if code != Different || errs != "" {
		t.Errorf("exit %d, said %q", code, errs)
	}
	golden(t, "coverage-many.txt", out)
	out, _, _ = r.covers(60, "-o", "json")
	if n := strings.Count(out, "\n"); n != 41 {
		t.Errorf("%d lines of json:\n%s", n, out)
	}
}

// A stream that has lost its beginning does not know what was subscribed.
func TestCoverageOfTheRestOfAStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.feed("a", "a1", event.Heartbeat, 0, nil)
	r.feed("a", "a1", event.Heartbeat, 60, nil)
	out, errs, code := r.covers(60)
	if code != Clean || errs != "" {
		t.Errorf("exit %d, said %q", code, errs)
	}
	golden(t, "coverage-rest.txt", out)
}

// What is uncovered is told day by day, of all replicas and of each; one that is
// gone for good is not missing for ever.
func TestCoverageByDay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const midnight = 15 * 3600
	r.listens("a", "a1", midnight-60)
	r.listens("b", "b1", midnight-60)
	r.listens("old", "o1", midnight-60)
	r.feed("old", "o1", event.Closed, midnight-50, reasoned("stopped"))
	r.feed("a", "a1", event.Heartbeat, midnight-30, nil)
	r.feed("a", "a1", event.Closed, midnight-30, reasoned("stopped"))
	r.feed("b", "b1", event.Heartbeat, midnight-10, nil)
	r.feed("b", "b1", event.Closed, midnight-10, reasoned("lost: EOF"))
	r.listens("b", "b2", midnight+20)
	r.listens("a", "a2", midnight+30)
	r.feed("a", "a2", event.Heartbeat, midnight+60, nil)
	r.feed("b", "b2", event.Heartbeat, midnight+60, nil)
	out, errs, code := r.covers(midnight + 60)
	if code != Different || errs != "" {
		t.Errorf("exit %d, said %q", code, errs)
	}
	golden(t, "coverage-days.txt", out)
	r.feed("a", "a2", event.Heartbeat, midnight+90000, nil)
	r.feed("b", "b2", event.Heartbeat, midnight+90000, nil)
	out, errs, _ = r.covers(midnight+90000, "--days", "-o", "json")
	golden(t, "coverage-days.json", out+errs)
}
