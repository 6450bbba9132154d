package replay

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

var events = flag.Int("events", 50_000, "how many events RTE has in BenchmarkExplainCall")

// BenchmarkExplainCall is the whole command, in an RTE in which every event has a
// subject of its own, as real ones have: the calls of the beginning, the middle
// and the end.
func BenchmarkExplainCall(b *testing.B) {
	s := bustest.Run(b)
	js := s.Provisioned(4)
	b.Setenv("NATS_URL", s.URL())
	body := bytes.Repeat([]byte(" "), 600)
	kinds := []string{"UserCallInComing", "UserCallInArrived", "UserCallInUserAllocated", "UserCallInUserConnected", "UserCallInDisconnected"}
	calls := *events / len(kinds)
	id := func(n int) string { return fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", n) }
	for n := range calls {
		partition := topology.Partition(id(n), 4)
		for k, kind := range kinds {
			text := fmt.Sprintf(`{"data":{"id":"c0de0006-7a3b-4c5d-9e8f-%011d%d","eventType":%q,"entityType":"User","userId":%q,"username":"jane@agency.example","callId":%q,"organizationId":%q}}`,
				n, k, kind, jane, id(n), agencyOrg)
			data := append([]byte(text), body...)
			raw, err := event.ParseRaw(data)
			if err != nil {
				b.Fatal(err)
			}
			header := event.EncodeRaw(raw, "hub.example", raw.Key(), time.Now(), "")
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: topology.Raw(partition, agencyOrg, kind, id(n)), Header: header, Data: data}, jetstream.WithStallWait(time.Minute)); err != nil {
				b.Fatal(err)
			}
		}
	}
	<-js.PublishAsyncComplete()
	for _, at := range []struct {
		name string
		n    int
	}{{"first", 0}, {"middle", calls / 2}, {"last", calls - 1}} {
		b.Run(at.name, func(b *testing.B) {
			for b.Loop() {
				var out, errs bytes.Buffer
				code := Main(b.Context(), []string{"explain", "call", id(at.n)}, IO{Out: &out, Err: &errs, Now: time.Now()})
				if code != Clean || !strings.Contains(out.String(), "Jane's screen") {
					b.Fatalf("exit %d, %s%s", code, out.String(), errs.String())
				}
			}
		})
	}
}
