package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// A service whose streams are taken away under it says that it is not ready,
// and which is missing.
func TestMissingStreamIsNotReady(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, stack.Options{})
	for _, stream := range []string{"KV_ringstream-leases", "CALL_LOG_1"} {
		if err := r.js.DeleteStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"transform-1", "deliver-1"} {
		service, _ := r.Service(name)
		var said string
		r.eventually(30*time.Second, func() string { return name + " to be not ready: " + said }, func() bool {
			resp, err := http.Get(service.URL + "/readyz")
			if err != nil {
				return false
			}
			defer func() { _ = resp.Body.Close() }()
			b, _ := io.ReadAll(resp.Body)
			said = string(b)
			return resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(said, "ringstream-leases")
		})
	}
}

// Streams behind RTE that are deleted and made again fill themselves: the same
// call events come again, what is in DELIVERIES is not sent again, and what
// rings afterwards is.
func TestStreamsMadeAgain(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, stack.Options{Partitions: 2, Env: map[string][]string{"transform": {"SETTLE_TIMEOUT=1s"}}})
	scenario, want := readStory(t, "testdata/direct-missed.txtar")
	tell := func(when string) {
		t.Helper()
		if got := strings.Join(r.tell(scenario), ""); got != want {
			t.Fatalf("%s the CRM received:\n%s\nwant:\n%s", when, got, want)
		}
	}
	tell("before")
	each := len(r.notifications())
	for round, streams := range [][]string{{"CALLS"}, {"CALL_LOG_0", "CALL_LOG_1", "CALLS"}} {
		before := r.stored("CALLS", "calls.>")
		for _, name := range streams {
			r.makeAgain(name)
		}
		r.eventually(time.Minute, say("the call events to be back"), func() bool { return r.stored("CALLS", "calls.>") >= before })
		tell("after " + strings.Join(streams, " and ") + " were made again")
		if n := len(r.notifications()); n != (round+2)*each {
			t.Errorf("%d notifications in all, want %d", n, (round+2)*each)
		}
	}
}

// makeAgain deletes a stream and creates it as it was.
func (r *rig) makeAgain(name string) {
	r.t.Helper()
	stream, err := r.js.Stream(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.js.DeleteStream(r.t.Context(), name); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.js.CreateStream(r.t.Context(), stream.CachedInfo().Config); err != nil {
		r.t.Fatal(err)
	}
}
