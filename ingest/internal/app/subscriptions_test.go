package app

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
)

func TestRefusedItemsAreReportedAndRetried(t *testing.T) {
	r := newRig(t)
	agency := rtesim.Agency()
	tom := agency.Users[1].ID
	r.sim.Unauthorized(tom)
	var log lines
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	s := r.settings("a")
	s.Subscriptions = []string{"UserStatus:" + r.jane, "UserStatus:" + tom, "NoSuchEvent:" + r.jane, "queue:" + agency.Queues[0].ID}
	p := r.start(s, fast())
	p.waitReady()
	if got := p.metric(`ringstream_ingest_subscriptions{state="refused"}`); got != "2" {
		t.Errorf("%s refused, want 2", got)
	}
	bustest.Eventually(t, "answers told", func() bool {
		told := map[string]string{}
		for _, f := range r.feedOf("a") {
			for _, sub := range f.Subscriptions {
				told[sub.EventName+":"+sub.EntityID] = sub.Message
			}
		}
		return told["UserStatus:"+tom] == "Unauthorized" && told["NoSuchEvent:"+r.jane] == "the hub does not offer this event"
	})
	named := func(event, entity, reason string) bool {
		sample := `ringstream_ingest_subscription_refused{entity="` + entity + `",event_type="` + event + `",reason="` + reason + `"}`
		return p.metric(sample) == "1"
	}
	if !named("UserStatus", tom, "Unauthorized") || !named("NoSuchEvent", r.jane, "the hub does not offer this event") {
		t.Error("the metrics do not name what was refused")
	}
	for _, want := range []string{"entity=" + tom + " event_type=UserStatus reason=Unauthorized", "event_type=NoSuchEvent"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	r.sim.Unauthorized()
	bustest.Eventually(t, "retried", func() bool { return p.metric(`ringstream_ingest_subscriptions{state="refused"}`) == "1" })
	if named("UserStatus", tom, "Unauthorized") || !named("NoSuchEvent", r.jane, "the hub does not offer this event") {
		t.Error("the metrics do not follow")
	}
	if n := len(r.sim.Connections()); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestNothingSubscribedIsNotReady(t *testing.T) {
	r := newRig(t)
	r.sim.Unauthorized(r.jane)
	p := r.start(r.settings("a"), fast())
	bustest.Eventually(t, "unready for that reason", func() bool {
		code, body := p.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "nothing subscribed")
	})
	r.sim.Unauthorized()
	p.waitReady()
}

func TestSubscriptionsFileIsReadAgain(t *testing.T) {
	r := newRig(t)
	agency := rtesim.Agency()
	jane, tom := agency.Users[0].ID, agency.Users[1].ID
	path := filepath.Join(t.TempDir(), "subscriptions.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("users: [" + jane + "]\nevents: [UserStatus, UserCallInComing]\n")
	s := r.settings("a")
	s.Subscriptions, s.SubscriptionsFile = nil, path
	p := r.start(s, fast())
	p.waitReady()
	connection := r.connected()
	held := func(want ...string) func() bool {
		return func() bool {
			has := map[string]bool{}
			for _, sub := range r.sim.Connections()[0].Subscriptions {
				has[sub.EventType+":"+sub.EntityID] = true
			}
			for _, w := range want {
				if !has[w] {
					return false
				}
			}
			return len(has) == len(want)
		}
	}
	bustest.Eventually(t, "first list", held("UserStatus:"+jane, "UserCallInComing:"+jane))
	write("users:\n- id: " + tom + "\n  events: [UserStatus]\n- " + jane + "\nevents: [UserStatus]\n")
	bustest.Eventually(t, "second list", held("UserStatus:"+jane, "UserStatus:"+tom))
	write("users: [nonsense")
	write("users: [" + tom + "]\nevents: [userstatus]\n")
	bustest.Eventually(t, "third list", held("UserStatus:"+tom))
	if now := r.connected(); now != connection {
		t.Error("the connection was made anew")
	}
}

func TestManySubscriptionsFitTheHub(t *testing.T) {
	r := newRig(t)
	s := r.settings("a")
	s.Subscriptions = nil
	for range 30 {
		s.Subscriptions = append(s.Subscriptions, "user:"+uuid.NewString())
	}
	p := r.start(s, fast())
	p.waitReady()
	held := 0
	bustest.Eventually(t, "all told", func() bool {
		held = 0
		live := false
		for _, f := range r.feedOf("a") {
			if held += len(f.Subscriptions); len(f.Subscriptions) > 200 || live && f.Type == event.Subscribed {
				t.Fatalf("%d items in one event, live before: %v", len(f.Subscriptions), live)
			}
			live = live || f.Live
		}
		return live
	})
	if got := p.metric(`ringstream_ingest_subscriptions{state="held"}`); got != strconv.Itoa(held) || held < 900 {
		t.Errorf("%s held, %d told", got, held)
	}
}
