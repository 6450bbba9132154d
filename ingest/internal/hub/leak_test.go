package hub

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
)

// counter counts connections.
type counter struct {
	nobody
	opened atomic.Int64
}

func (c *counter) Opened(string, string, func() (time.Time, time.Time)) { c.opened.Add(1) }

// open counts what this process holds.
type open struct{ goroutines, files int }

func holds(t *testing.T) open {
	t.Helper()
	files, err := os.ReadDir("/dev/fd") // sockets too
	if err != nil {
		t.Fatal(err)
	}
	return open{runtime.NumGoroutine(), len(files)}
}

// Many subscriptions and many drops in a row leave no goroutine, socket or file
// behind. LEAK_LONG=1 does it with 10,000 entities and 500 drops.
func TestDropsLeaveNothingBehind(t *testing.T) {
	entities, drops, silence := 400, 40, 1
	if os.Getenv("LEAK_LONG") != "" {
		entities, drops, silence = 10_000, 500, 10
	} else if testing.Short() { // the race detector finds nothing more in more of them
		entities, drops = 100, 20
	}
	sim := simulated(t)
	h := listening(t, sim, &journal{})
	sink := &counter{}
	h.Sink, h.Source.Fixed = sink, Wanted{}
	for i := range entities {
		id := fmt.Sprintf("c9eeb030-ff4b-ea11-ac9c-%012x", i)
		h.Source.Fixed.Items = append(h.Source.Fixed.Items, rte.EntitySubscription{EntityID: id, EventName: "UserStatus"})
	}
	h.Limits.FirstWait, h.Limits.LastWait = time.Millisecond, 2*time.Millisecond
	h.Limits.Silence, h.Limits.KeepAlive = time.Duration(silence)*time.Second, 200*time.Millisecond
	runs(t, h)
	modes := []string{rtesim.DropClose, rtesim.DropCloseReconnect, rtesim.DropEOF, rtesim.DropReset}
	made := int64(0)
	again := func() {
		t.Helper()
		eventually(t, "subscribed", func() bool { return sink.opened.Load() > made && h.Status().Held == entities })
		made = sink.opened.Load()
	}
	drop := func(mode string) {
		t.Helper()
		if n, err := sim.Drop(mode, "", "over"); n != 1 || err != nil {
			t.Fatalf("%d dropped, %v", n, err)
		}
		again()
	}
	again()
	for _, mode := range append(modes, rtesim.DropSilent) {
		drop(mode)
	}
	before, began := holds(t), time.Now()
	for i := range drops {
		drop(modes[i%len(modes)])
	}
	for range 3 {
		drop(rtesim.DropSilent)
	}
	const idle = 4 // HTTP connections that are kept for the next request, and who serves them
	var after open
	eventually(t, fmt.Sprintf("back to %+v", before), func() bool {
		after = holds(t)
		return after.goroutines <= before.goroutines+3*idle && after.files <= before.files+idle
	})
	t.Logf("%d entities, %d drops in %s: from %+v to %+v", entities, drops, time.Since(began).Round(time.Second), before, after)
}
