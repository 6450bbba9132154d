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
