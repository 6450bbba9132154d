//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/topology"
)

// leaseTTL is how long the fleet's services keep a lease of which nothing is heard.
const leaseTTL = 3 * time.Second

// leaseBook is who had which lease when.
type leaseBook struct {
	mu   sync.Mutex
	book []letting
}

// letting is one entry: a lease that was taken or renewed, or given back (by nobody).
type letting struct {
	at          time.Time // by the server's clock, which is that of all here
	key, holder string
	given       bool // back, by its holder; not expired
}

// watchLeases writes down every change until the test ends.
func watchLeases(d *desk) *leaseBook {
	d.t.Helper()
	leases, err := d.js.KeyValue(d.t.Context(), topology.Leases)
	if err != nil {
		d.t.Fatal(err)
	}
	watch, err := leases.WatchAll(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	b := &leaseBook{}
	var reading sync.WaitGroup
	reading.Go(func() {
		for entry := range watch.Updates() {
			if entry != nil { // the end of what there was
				holder, _, _ := strings.Cut(string(entry.Value()), " ")
				b.write(letting{at: entry.Created(), key: entry.Key(), holder: holder, given: entry.Operation() == jetstream.KeyValueDelete})
			}
		}
	})
	d.t.Cleanup(func() { _ = watch.Stop(); reading.Wait() })
	return b
}

func (b *leaseBook) write(l letting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book = append(b.book, l)
}

// handovers tells how long each lease of a replica that ended was on its way to the
// next, from the signal on, and finds those that were not given back before the
// replica was gone, or not taken within the limit. Being a member is no work.
//
// The bucket keeps one entry of a key. Who takes a lease may replace its being given
// back before the book is told of that; but nobody gets one that was neither given
// back nor has expired.
func (b *leaseBook) handovers(e ending, limit time.Duration) (took []time.Duration, found []finding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.of(e.name, e.signalled) {
		expires := l.at.Add(leaseTTL)
		i := slices.IndexFunc(b.book, func(n letting) bool {
			if n.key != l.key || !n.at.After(e.signalled) {
				return false
			}
			if n.holder == l.holder {
				expires = n.at.Add(leaseTTL)
			}
			return n.given || n.holder != "" && n.holder != l.holder && n.at.Before(expires)
		})
		if i < 0 || b.book[i].at.After(e.gone) {
			found = append(found, finding{where: topology.Leases, kind: "not given back before the end", id: l.key, note: e.name})
		}
		i = slices.IndexFunc(b.book, func(n letting) bool {
			return n.key == l.key && n.at.After(e.signalled) && n.holder != "" && n.holder != l.holder
		})
		if i < 0 {
			found = append(found, finding{where: topology.Leases, kind: "not taken again", id: l.key, note: "after " + e.name})
			continue
		}
		d := b.book[i].at.Sub(e.signalled)
		if took = append(took, d); d > limit {
			found = append(found, finding{where: topology.Leases, kind: "taken again late", id: l.key, note: fmt.Sprintf("%v after %s was asked to end", d, e.name)})
		}
	}
	return took, found
}

// of are the leases for work that a replica has at a time.
func (b *leaseBook) of(name string, at time.Time) (held []letting) {
	last := map[string]letting{}
	for _, l := range b.book {
		if !l.at.After(at) {
			last[l.key] = l
		}
	}
	for key, l := range last {
		if replica, _, _ := strings.Cut(l.holder, "."); replica == name && !strings.Contains(key, ".member.") {
			held = append(held, l)
		}
	}
	return held
}
