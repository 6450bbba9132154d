package app

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

func TestCanaryIsTheNewestHeartbeatInTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCanary("a")
		steps := []struct {
			subject string
			wait    time.Duration
			ok      bool
			says    string
		}{
			{"", 0, false, "no heartbeat"},
			{"feed.b.heartbeat", 0, false, "no heartbeat"},
			{"rte.0.none.Unknown.none", 0, false, "no heartbeat"},
			{"feed.a.heartbeat", time.Second, true, "is 1s old"},
			{"rte.0.none.Unknown.none", 8 * time.Second, true, "is 9s old"},
			{"feed.a.opened", time.Second, false, "is 10s old"},
			{"feed.a.heartbeat", 0, true, "is 0s old"},
		}
		for i, step := range steps {
			c.stored(bus.Outgoing{Subject: step.subject, Arrived: time.Now()})
			time.Sleep(step.wait)
			if got := c.Result(); got.OK != step.ok || !strings.Contains(got.Detail, step.says) {
				t.Errorf("step %d: %+v", i, got)
			}
		}
	})
}

// A hub that says nothing while its keep-alive works leaves ingest ready.
func TestSilentHubThatPingsIsReady(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t, func(s *rtesim.Settings) { s.PingInterval = 50 * time.Millisecond })
	limits := fast()
	limits.Silence, limits.KeepAlive = time.Second, 200*time.Millisecond
	p := r.start(r.settings("a"), limits)
	p.waitReady()
	id := r.connected()
	begin := time.Now()
	bustest.Eventually(t, "some time", func() bool {
		if code, body := p.get("/readyz"); code != http.StatusOK || !strings.Contains(body, "the newest heartbeat in the stream is") {
			t.Fatalf("after %s: %d %s", time.Since(begin), code, body)
		}
		return time.Since(begin) > 3*limits.Silence
	})
	if r.connected() != id {
		t.Error("the connection was made anew")
	}
}
