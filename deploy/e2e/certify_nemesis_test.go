//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// strike is one fault: to whom, for how long. All of it is drawn before
// anything is done, so that a seed makes the same faults again.
type strike struct {
	victim int
	stream int
	lasts  time.Duration
	rest   time.Duration
}

// blow is a way to hurt something. It ends what it does before it returns.
type blow[W any] struct {
	name   string
	weight int
	kills  int
	most   float64 // how long it lasts at most, in LEASE_TTL
	least  float64
	do     func(w W, s strike)
}

// The ways to hurt replicas of transform.
var replicaBlows = []blow[*trial]{
	{"replica killed", 35, 1, 1.5, 0, func(c *trial, s strike) {
		p := c.replica(s, 0)
		p.kill()
		wait(c.t.Context(), s.lasts)
		p.start()
	}},
	{"two replicas killed", 10, 2, 1.5, 0, func(c *trial, s strike) {
		for n := range 2 {
			c.replica(s, n).kill()
		}
		wait(c.t.Context(), s.lasts)
		for n := range 2 {
			c.replica(s, n).start()
		}
	}},
	{"replica paused, then killed", 10, 1, 2, 0.5, func(c *trial, s strike) {
		p := c.replica(s, 0)
		p.pause()
		wait(c.t.Context(), s.lasts)
		p.kill()
		p.start()
	}},
	{"replica paused for less than its lease", 15, 0, 0.9, 0.1, pauseReplica},
	{"replica paused for longer than its lease", 15, 0, 3, 1.1, pauseReplica},
	{"replica stopped", 15, 0, 1, 0, func(c *trial, s strike) {
		p := c.replica(s, 0)
		c.patiently(func() bool { return c.ask(p.url+"/healthz", nil) == nil }) // before that nobody hears the signal
		p.stop()
		wait(c.t.Context(), s.lasts)
		p.start()
	}},
}

// The ways to hurt the cluster, one node at a time.
var nodeBlows = []blow[*quorum]{
	{"NATS node killed", 30, 1, 3, 0, func(c *quorum, s strike) {
		p := c.nodes[s.victim%len(c.nodes)]
		p.kill()
		wait(c.t.Context(), s.lasts)
		p.start()
		c.becomeWhole()
	}},
	{"NATS node paused", 10, 0, 4, 0.2, func(c *quorum, s strike) {
		p := c.nodes[s.victim%len(c.nodes)]
		p.pause()
		wait(c.t.Context(), s.lasts)
		p.resume()
		c.becomeWhole()
	}},
	{"NATS node restarted", 10, 0, 1, 0, func(c *quorum, s strike) {
		p := c.nodes[s.victim%len(c.nodes)]
		c.patiently(c.whole) // so that it hears the signal
		p.stop()
		wait(c.t.Context(), s.lasts)
		p.start()
		c.becomeWhole()
	}},
	{"stream leader deposed", 45, 0, 0, 0, func(c *quorum, s strike) {
		streams := c.streams()
		if !deposed(c.js.Conn(), "$JS.API.STREAM.LEADER.STEPDOWN."+streams[s.stream%len(streams)]) {
			c.note(inVain)
		}
	}},
	{"cluster leader deposed", 15, 0, 0, 0, func(c *quorum, s strike) {
		if !deposed(c.operator, "$JS.API.META.LEADER.STEPDOWN") {
			c.note(inVain)
		}
	}},
}

const (
	kills   = "kill -9"
	inVain  = "leaders asked to step down in vain"
	unwhole = "went on though a node had not caught up"
)

func pauseReplica(c *trial, s strike) {
	p := c.replica(s, 0)
	p.pause()
	wait(c.t.Context(), s.lasts)
	p.resume()
}

// replica is the n-th victim.
func (c *trial) replica(s strike, n int) *program {
	return c.replicas[(s.victim+n)%len(c.replicas)]
}

// becomeWhole waits until the cluster could do without another node.
func (c *quorum) becomeWhole() {
	if !c.patiently(c.whole) {
		c.note(unwhole)
	}
}

// patiently waits for a condition, and does not insist.
func (c *quorum) patiently(condition func() bool) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for patience := time.Now().Add(30 * time.Second); !condition(); <-tick.C {
		if time.Now().After(patience) {
			return false
		}
	}
	return true
}

// draw takes what strikes next, by the weights.
func draw[W any](random *rand.Rand, blows []blow[W], unit, rest time.Duration) (b blow[W], s strike) {
	sum := 0
	for _, b := range blows {
		sum += b.weight
	}
	n := random.IntN(sum)
	s = strike{victim: random.IntN(60), stream: random.IntN(1 << 20)}
	part := random.Float64()
	s.rest = time.Duration(random.Int64N(int64(rest)))
	for _, b = range blows {
		if n -= b.weight; n < 0 {
			break
		}
	}
	s.lasts = time.Duration((b.least + part*(b.most-b.least)) * float64(unit))
	return b, s
}

// nemesis strikes until it is over, and writes down what it did.
func nemesis[W any](c *quorum, victims W, seed, sequence uint64, blows []blow[W], rest time.Duration, over func() bool) {
	random := rand.New(rand.NewPCG(seed, sequence))
	log := c.log(fmt.Sprintf("nemesis-%d", sequence))
	for !over() {
		b, s := draw(random, blows, c.ttl, rest)
		log.Info(b.name, "victim", s.victim, "stream", s.stream, "for", s.lasts)
		from := time.Now()
		b.do(victims, s)
		c.mu.Lock()
		c.strikes = append(c.strikes, struck{b.name, span{from, time.Now()}})
		c.mu.Unlock()
		c.note(b.name)
		c.noted(kills, b.kills)
		wait(c.t.Context(), s.rest)
	}
}

// tally says how often what was done.
func tally[W any](c *quorum, blows []blow[W]) string {
	var words []string
	for _, b := range blows {
		words = append(words, fmt.Sprintf("%s %d", b.name, c.count(b.name)))
	}
	return strings.Join(words, ", ")
}

// listOf is a map of counts in words.
func listOf(counts map[string]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var words []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[what], what))
	}
	return strings.Join(words, ", ")
}
