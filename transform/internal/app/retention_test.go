package app

import (
	"syscall"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

const (
	creates  = "NATS_PROVISION=create"
	verifies = "NATS_PROVISION=verify"
)

// closed is an office after a day's work: a replica has folded some calls and
// has ended.
func closed(t *testing.T) (*office, *process) {
	o := newOffice(t, "a")
	a := o.replicas[0]
	stop := o.traffic(time.Millisecond)
	for p := range partitions {
		a.firstOf(p, 0)
	}
	stop()
	o.compare()
	o.merged()
	a.end(syscall.SIGTERM)
	return o, a
}

func (o *office) remove(streams ...string) {
	o.Helper()
	for _, name := range streams {
		if err := o.js.DeleteStream(o.Context(), name); err != nil {
			o.Fatal(err)
		}
	}
}

// logs are the names of all of them.
func logs() (names []string) {
	for p := range partitions {
		names = append(names, topology.CallLog(p))
	}
	return names
}

// merged waits until CALLS has each call event of the logs once.
func (o *office) merged() {
	o.Helper()
	want := 0
	for p := range partitions {
		want += len(bustest.Messages(o, o.js, topology.CallLog(p), topology.CallLogPrefix(p)+".ev.>"))
	}
	ids := map[string]int{}
	bustest.Eventually(o, "CALLS to have all", func() bool {
		clear(ids)
		for _, m := range bustest.Messages(o, o.js, topology.Calls) {
			ids[m.Header.Get("ce-id")]++
		}
		return len(ids) >= want
	})
	for id, n := range ids {
		if n != 1 {
			o.Fatalf("CALLS has %s %d times", id, n)
		}
	}
}

// The streams of one number of partitions are left alone by those who want
// another: nothing is added to them.
func TestAnotherNumberOfPartitionsIsRefused(t *testing.T) {
	o, a := closed(t)
	for _, provision := range []string{verifies, creates} {
		for _, other := range []string{"8", "2"} {
			a.refuses([]string{"RTE was created for 4 partitions", "PARTITIONS says " + other, "a new number needs new streams"}, provision, "PARTITIONS="+other)
		}
	}
	if _, err := o.js.Stream(t.Context(), topology.CallLog(partitions)); err == nil {
		t.Error("a log was made all the same")
	}
	// Not even when RTE itself is gone.
	o.remove(topology.RTE)
	a.refuses([]string{"CALL_LOG_0 was created for 4 partitions"}, creates, "PARTITIONS=8")
	if _, err := o.js.Stream(t.Context(), topology.RTE); err == nil {
		t.Error("RTE was made all the same")
	}
}

// A log that is gone is made anew from RTE, but not under CALLS, which has had its
// events: it would have them twice.
func TestLogThatIsGoneIsMadeAnewWithCalls(t *testing.T) {
	o, a := closed(t)
	o.remove(topology.CallLog(1))
	for _, provision := range []string{verifies, creates} {
		a.refuses([]string{"CALL_LOG_1", "delete CALLS first"}, provision)
	}
	o.remove(topology.Calls)
	a.start(creates)
	o.settled()
	o.compare()
	o.merged()
}

// An RTE that was made anew is not what the logs were made from.
func TestLogsOfAnotherRawStreamAreRefused(t *testing.T) {
	o, a := closed(t)
	o.remove(topology.RTE)
	a.refuses([]string{"stream does not exist: RTE"}, verifies)
	for range 2 {
		a.refuses([]string{"RTE is not the stream that the call log was made from", "delete CALL_LOG_<p> and CALLS"}, creates)
	}
	o.remove(append(logs(), topology.Calls)...)
	a.start(creates)
	o.settled()
	stop := o.traffic(time.Millisecond)
	for p := range partitions {
		a.firstOf(p, a.lines())
	}
	stop()
	o.compare()
	o.merged()
}
