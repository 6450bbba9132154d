//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringstream/deploy/local/stack"
)

// premises is the whole pipeline: two replicas of each service between both
// simulators and a cluster of NATS servers, with something in between that can cut
// each replica off.
type premises struct {
	*fleet
	quorum *quorum
	second string             // directory of the other build; empty: there is none
	ways   map[string]ways    // of a replica
	homes  map[string]string  // what SPOOL_DIR is in, of a replica of ingest
	small  map[string]bool    // those that are file systems of their own
	all    map[string][]*spot // the replicas of a service

	plan     map[string]plannedCall // of each call
	kills    []span                 // of a replica of deliver
	orphaned []span                 // of these, of the one that delivered
	deaf     []span                 // within which a replica of deliver was paused or cut off from NATS
	frozen   []still
	unread   []span // within which a replica of ingest was paused
	skews    []span // within which the clock of one was wrong
}

// delivering is what a replica of deliver calls its role.
const delivering = "delivering"

// spot is a replica that comes again and again, in one build or another, with its
// clock right or wrong.
type spot struct {
	*program
	service string
	built   string
	ahead   int        // seconds
	since   time.Time  // it has been so
	disk    sync.Mutex // held while it is full: what is in memory alone then dies with the process, as it says
}

// ways are those that lead from a replica.
type ways struct {
	toNATS   []*gate
	toReapit *gate // of deliver
}

const (
	wholeTTL   = 3 * time.Second
	smallSpool = 64 << 20
	skewed     = 2 // seconds by which a clock may be wrong, ahead or behind
)

func newPremises(t testing.TB, p promised, offices ...office) *premises {
	t.Helper()
	w := emptyWorld(t)
	q := newQuorum(w, wholeTTL, nil)
	f := newFleetAt(newDeskIn(w, p.withReads(), offices...), "RTE_SIM_SENT_LIMIT=10000000")
	return &premises{fleet: f, quorum: q, ways: map[string]ways{}, homes: map[string]string{}, small: map[string]bool{}, all: map[string][]*spot{}, plan: map[string]plannedCall{}}
}

// open starts two replicas of each service.
func (h *premises) open() {
	h.t.Helper()
	for _, service := range rolledOver { // before anybody is told a port that is still free
		for n := range 2 {
			h.lay(service, fmt.Sprintf("%s-%d", service, n+1))
		}
	}
	for _, service := range rolledOver {
		for range 2 {
			s := &spot{program: h.pod(service, binaries), service: service, built: binaries}
			s.lax, s.stays = true, true // whoever is cut off at its end cannot hand over all that it has
			h.between(s)
			s.start()
			h.all[service] = append(h.all[service], s)
		}
	}
	h.everybody(func(s *spot) { h.eventually(3*time.Minute, s.name, s.ready) })
}

func (h *premises) everybody(do func(s *spot)) {
	for _, service := range rolledOver {
		for _, s := range h.all[service] {
			do(s)
		}
	}
}

// lay makes the ways of a replica.
func (h *premises) lay(service, name string) {
	h.t.Helper()
	var way ways
	for _, node := range h.quorum.nodes {
		way.toNATS = append(way.toNATS, newGate(h.t, strings.TrimPrefix(node.url, "tls://")))
	}
	if service == stack.Deliver {
		way.toReapit = newGate(h.t, strings.TrimPrefix(h.reapit.url, "http://"))
	}
	h.ways[name] = way
}

// between sends a replica on its ways, and gives ingest a disk of its own.
func (h *premises) between(s *spot) {
	h.t.Helper()
	var urls []string
	for _, g := range h.ways[s.name].toNATS {
		urls = append(urls, "tls://"+g.listener.Addr().String())
	}
	s.env = append(s.env, "NATS_URL="+strings.Join(urls, ","))
	switch s.service {
	case stack.Deliver:
		url := h.ways[s.name].toReapit.url()
		s.env = append(s.env, "REAPIT_API_URL="+url, "REAPIT_TOKEN_URL="+url+"/oauth/token")
	case stack.Ingest:
		home := filepath.Join(h.dir, "disk", s.name)
		h.homes[s.name], h.small[s.name] = home, smallDisk(h.t, home)
		s.env = append(s.env, "SPOOL_DIR="+filepath.Join(home, "spool"))
	}
}

// smallDisk makes a directory, a small file system of its own where that is allowed.
func smallDisk(t testing.TB, dir string) bool {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", smallSpool)); err != nil {
		return false
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return true
}

// fills makes the disk of a replica of ingest full until the returned function is called.
func (h *premises) fills(s *spot) (release func()) {
	if !h.small[s.name] {
		s.fill(true)
		return func() { s.fill(false) }
	}
	name := filepath.Join(h.homes[s.name], "rubbish")
	if err := rubbish(name); !errors.Is(err, unix.ENOSPC) {
		h.t.Errorf("fill the disk of %s: %v", s.name, err)
	}
	return func() { _ = os.Remove(name) }
}

func rubbish(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(file, endless{})
	return err
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// cutOff takes all ways to NATS from a replica until the returned function is called.
func (h *premises) cutOff(s *spot, silently bool) (release func()) {
	gates := h.ways[s.name].toNATS
	turn := func(cut bool) {
		for _, g := range gates {
			if silently {
				g.hush(cut)
			} else {
				g.turn(cut)
			}
		}
	}
	turn(true)
	return func() { turn(false) }
}

// dress gives a replica, which does not run, a build and a clock.
func (h *premises) dress(s *spot, build string, ahead int) {
	h.skews = append(h.skews, s.skew()...)
	s.since = time.Now()
	s.bin, s.built, s.ahead = filepath.Join(build, s.service), build, ahead
	s.env = append(slices.DeleteFunc(s.env, func(e string) bool { return strings.HasPrefix(e, clockAhead+"=") }), fmt.Sprintf("%s=%d", clockAhead, ahead))
}

// skew is since when the clock of a replica of ingest has been wrong, if it is.
func (s *spot) skew() []span {
	if s.service != stack.Ingest || s.ahead == 0 {
		return nil
	}
	return []span{{s.since, time.Now()}}
}

// skewings are the times in which the clock of a replica of ingest was wrong.
func (h *premises) skewings() []span {
	all := slices.Clone(h.skews)
	for _, s := range h.all[stack.Ingest] {
		all = append(all, s.skew()...)
	}
	return all
}

// load is what the hub is to tell.
type load struct {
	window time.Duration // calls are drawn for so long at a time
	calls  float64       // raw events of calls a second, at each office
	other  int           // raw events a second that are of no call
	mix    mix
	seed   uint64
}

// ring has the hub tell of calls at each office, and of other things, until ctx ends
// and the calls are over.
func (h *premises) ring(ctx context.Context, l load) {
	var telling sync.WaitGroup
	telling.Go(func() { h.chatter(ctx, l) })
	var last []playing
	tick := time.NewTicker(l.window)
	defer tick.Stop()
	for n := uint64(0); ctx.Err() == nil; n++ {
		last = nil
		for i, o := range h.offices {
			s := drawShift(l.seed+1000*n+uint64(i), l.calls, l.window, l.mix, o)
			var started playing
			h.exchange(h.sim.url+"/control/play", play{Text: s.text}, &started)
			last = append(last, started)
			for i, id := range started.CallIDs {
				h.plan[id] = s.calls[i]
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	telling.Wait()
	for _, p := range last {
		h.rung(p)
	}
}

// chatter is what the hub tells besides: who is available, and the like. It is of
// many at a time: those of one user go to RTE one after the other.
func (h *premises) chatter(ctx context.Context, l load) {
	const perSecond, users = 10, 12
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		o := h.offices[n%len(h.offices)]
		for u := range users {
			h.post(h.sim.url+"/control/send", map[string]any{"eventType": "UserStatus", "entityId": o.staff[(n/2*users+u)%len(o.staff)].UserID, "count": l.other / perSecond / users})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// heal ends every fault and waits until all is well and stored; then nobody listens
// any more.
func (h *premises) heal() {
	h.t.Helper()
	h.wellAgain()
	h.eventually(5*time.Minute, "three replicas of each stream", h.quorum.whole)
	h.everybody(func(s *spot) {
		h.eventually(5*time.Minute, s.name+" to be well again", s.ready)
		s.lax = false
	})
}

// rest lets the hub ring on when nothing is hurt any more and nothing waits, and says
// from when to when.
func (h *premises) rest() span {
	h.t.Helper()
	for _, s := range h.all[stack.Ingest] {
		h.eventually(3*time.Minute, s.name+" to have stored what had waited", func() bool { return s.queued() < 100 })
	}
	wait(h.t.Context(), undeafWithin)
	from := time.Now()
	wait(h.t.Context(), 30*time.Second)
	return span{from, time.Now()}
}

// queued is how many messages a replica of ingest has yet to store; 0 while it does not tell.
func (s *spot) queued() int {
	n, _ := strconv.Atoi(s.metric("ringstream_ingest_queue_messages"))
	return n
}

// wellAgain takes away whatever may hold things up.
func (h *premises) wellAgain() {
	h.post(h.sim.url+"/control/stall", map[string]any{"duration": "0s"})
	for _, rule := range h.rules() {
		h.desk.heal(rule)
	}
}

func (h *premises) rules() (ids []int) {
	var all []struct{ ID int }
	h.get(h.reapit.url+"/control/faults", &all)
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

// hush stops ingest in order once all that it has heard is stored.
func (h *premises) hush() {
	h.t.Helper()
	for _, s := range h.all[stack.Ingest] {
		h.eventually(3*time.Minute, s.name+" to have stored all", func() bool { return s.metric("ringstream_ingest_queue_messages") == "0" })
		h.heardAll(s.program)
	}
	h.healed = time.Now().UTC()
	for _, s := range h.all[stack.Ingest] {
		s.stop()
	}
}
