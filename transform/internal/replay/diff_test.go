package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

func TestDiffOfWhatTransformWrote(t *testing.T) {
	r := newRig(t)
	r.morning()
	r.transformed()
	out, errs, code := r.replay("diff")
	if code != Clean || errs != "" {
		t.Fatalf("exit %d, said %q:\n%s", code, errs, out)
	}
	golden(t, "diff-equal.txt", timeless(out))

	t.Run("with another limit", func(t *testing.T) {
		t.Setenv("SETTLE_TIMEOUT", "1h")
		out, errs, code := r.replay("diff")
		if code != Different || errs != "" {
			t.Fatalf("exit %d, said %q", code, errs)
		}
		golden(t, "diff-limits.txt", timeless(out))
	})
}

// nth finds the n-th event of a call.
func nth(told []Told, callID string, n int) int {
	return slices.IndexFunc(told, func(t Told) bool { return t.Call.CallID == callID && t.Call.Sequence == n })
}

func altered(t *testing.T, told Told, change func(*event.Call)) Told {
	t.Helper()
	change(&told.Call)
	body, err := json.Marshal(told.Call)
	if err != nil {
		t.Fatal(err)
	}
	told.Body = body
	return told
}

func TestDiffFindsWhatWasPlanted(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(*testing.T, []Told) []Told{
		"missing": func(_ *testing.T, told []Told) []Told {
			i := nth(told, answered, 2)
			return slices.Delete(told, i, i+1)
		},
		"changed": func(t *testing.T, told []Told) []Told {
			i := nth(told, outgoing, 2)
			told[i] = altered(t, told[i], func(e *event.Call) { e.HuntGroup, e.Caller = true, "+447911999888" })
			return told
		},
		"extra": func(t *testing.T, told []Told) []Told {
			i := nth(told, answered, 3)
			invented := altered(t, told[i], func(e *event.Call) { e.Type, e.Sequence = event.Held, 4 })
			invented.Header = map[string][]string{}
			for k, v := range told[i].Header {
				invented.Header[k] = v
			}
			invented.Header["ce-id"] = []string{invented.Call.EventID()}
			invented.At.Idx++
			return slices.Insert(told, i+1, invented)
		},
		"doubled": func(_ *testing.T, told []Told) []Told {
			i := nth(told, outgoing, 1)
			return slices.Insert(told, i+1, told[i])
		},
		"misplaced": func(_ *testing.T, told []Told) []Told {
			i, j := nth(told, answered, 1), nth(told, answered, 2)
			told[i], told[j] = told[j], told[i]
			return told
		},
		"a call of nobody": func(t *testing.T, told []Told) []Told {
			i := nth(told, answered, 1)
			stranger := altered(t, told[i], func(e *event.Call) { e.CallID = later })
			stranger.Partition = topology.Partition(later, partitions)
			return slices.Insert(told, i, stranger)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.morning()
			r.forge(func(told []Told) []Told { return alter(t, told) })
			out, errs, code := r.replay("diff", "--wait", "100ms")
			if code != Different || errs != "" {
				t.Errorf("exit %d, said %q", code, errs)
			}
			golden(t, "diff-"+strings.ReplaceAll(name, " ", "-")+".txt", timeless(out))
		})
	}
}

func TestDiffWaitsForTransform(t *testing.T) {
	r := newRig(t)
	r.morning()
	r.transformed()
	r.raw(agencyOrg, later, "UserCallInUserAllocated", tom)

	out, errs, code := r.replay("diff", "--wait", "50ms")
	if code != Trouble || !strings.Contains(errs, "CALLS is behind RTE") || !strings.Contains(errs, "--wait") {
		t.Fatalf("exit %d, said %q", code, errs)
	}
	golden(t, "diff-behind.txt", timeless(out))

	defer r.transform()()
	if out, errs, code := r.replay("diff", "--wait", "30s"); code != Clean {
		t.Fatalf("exit %d, said %q:\n%s", code, errs, out)
	}
}

// newShortLived has an RTE that may be purged, and does not say how many
// partitions it has.
func newShortLived(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, server: bustest.Run(t)}
	r.js = r.server.JetStream("test")
	_, err := r.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: topology.RTE, Subjects: []string{"rte.>", "feed.>"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Create(t.Context(), r.js, topology.Layout{Partitions: partitions, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PARTITIONS", fmt.Sprint(partitions))
	return r
}

// purge lets RTE forget up to a position.
func (r *rig) purge(last uint64) {
	r.Helper()
	rte, err := r.js.Stream(r.Context(), topology.RTE)
	if err != nil {
		r.Fatal(err)
	}
	if err := rte.Purge(r.Context(), jetstream.WithPurgeSequence(last+1)); err != nil {
		r.Fatal(err)
	}
}

// RTE keeps less than CALLS: what began before its first message is no difference.
func TestDiffAfterRetention(t *testing.T) {
	r := newShortLived(t)
	t.Setenv("RING_TIMEOUT", "1s")
	usual := quick
	quick.Ring = time.Second
	defer func() { quick = usual }()

	r.raw(agencyOrg, answered, "UserCallInUserAllocated", jane)
	r.raw(agencyOrg, missed, "UserCallInComing", jane) // has not rung before the purge
	r.raw(agencyOrg, answered, "UserCallInUserConnected", jane)
	cut := uint64(r.n)
	r.beat()
	r.raw(agencyOrg, answered, "UserCallInDisconnected", jane)
	r.raw(agencyOrg, missed, "UserCallInUserAllocated", jane, "userNumber", "202")
	<-time.After(quick.Ring + quick.Settle + quick.Memory + 50*time.Millisecond)
	r.beat()
	r.raw(agencyOrg, later, "UserCallInUserAllocated", tom)
	r.raw(agencyOrg, later, "UserCallInUserConnected", tom)
	r.transformed()

	r.purge(cut)
	out, errs, code := r.replay("diff", "--wait", "0s")
	if code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
	golden(t, "diff-retention.txt", timeless(out))
}
