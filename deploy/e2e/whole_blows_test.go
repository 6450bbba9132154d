//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"time"

	"ringstream/deploy/local/stack"
)

// The ways to hurt the whole pipeline. Three nemeses do so at once: one has the
// replicas of the services, one the servers of NATS (nodeBlows), one what is between
// and around them.

// To replicas.
var spotBlows = []blow[*premises]{
	{"replica killed", 30, 1, 1.5, 0, func(h *premises, s strike) {
		p := h.victim(s)
		h.killed(p)
		wait(h.t.Context(), s.lasts)
		p.start()
	}},
	{"both replicas of a service killed", 8, 2, 1, 0, func(h *premises, s strike) {
		both := h.all[rolledOver[s.stream%len(rolledOver)]]
		for _, p := range both {
			h.killed(p)
		}
		wait(h.t.Context(), s.lasts)
		for _, p := range both {
			p.start()
		}
	}},
	{"replica paused for less than its lease", 12, 0, 0.9, 0.1, pauseSpot},
	{"replica paused for longer than its lease", 12, 0, 2, 1.1, pauseSpot},
	{"replica paused, then killed", 10, 1, 2, 0.5, func(h *premises, s strike) {
		p := h.victim(s)
		for p.service == stack.Ingest { // what it has been sent meanwhile would be heard by nobody
			s.victim++
			p = h.victim(s)
		}
		defer h.deafens(p)()
		defer h.stills(p)()
		p.pause()
		wait(h.t.Context(), s.lasts)
		h.killed(p)
		p.start()
	}},
	{"replica stopped in order", 12, 0, 1, 0, func(h *premises, s strike) {
		p := h.victim(s)
		h.stopped(p)
		wait(h.t.Context(), s.lasts)
		p.start()
	}},
	{"replica rolled to another build", 18, 0, 0.3, 0, func(h *premises, s strike) {
		p := h.victim(s)
		build := binaries
		if p.built == binaries {
			build = h.second
		}
		h.stopped(p)
		h.dress(p, build, 0)
		p.start()
		wait(h.t.Context(), s.lasts)
	}},
	{"replica comes back with its clock ahead", 9, 0, 0.8, 0.3, func(h *premises, s strike) { h.wind(s, skewed) }},
	{"replica comes back with its clock behind", 9, 0, 0.8, 0.3, func(h *premises, s strike) { h.wind(s, -skewed) }},
}

// To what is between and around them.
var wayBlows = []blow[*premises]{
	{"replica cut off from NATS in silence", 14, 0, 2, 0.2, func(h *premises, s strike) { h.cut(s, true) }},
	{"replica cut off from NATS with resets", 10, 0, 2, 0.2, func(h *premises, s strike) { h.cut(s, false) }},
	{"replica cut off from Reapit in silence", 6, 0, 1.5, 0.2, func(h *premises, s strike) {
		g := h.deliverer(s).toReapit
		g.hush(true)
		wait(h.t.Context(), s.lasts)
		g.hush(false)
	}},
	{"replica cut off from Reapit with resets", 6, 0, 1.5, 0.2, func(h *premises, s strike) {
		g := h.deliverer(s).toReapit
		g.turn(true)
		wait(h.t.Context(), s.lasts)
		g.turn(false)
	}},
	{"disk of the spool full while cut off from NATS", 10, 0, 1.2, 0.2, func(h *premises, s strike) {
		p := h.all[stack.Ingest][s.victim%2]
		p.disk.Lock()
		defer p.disk.Unlock()
		join, release := h.cutOff(p, s.stream%2 == 0), h.fills(p)
		wait(h.t.Context(), s.lasts)
		release()
		join()
		wait(h.t.Context(), time.Second) // until it is written
	}},
	{"hub closes a connection", 6, 0, 0, 0, hubDrops("close")},
	{"hub closes a connection, which may reconnect", 6, 0, 0, 0, hubDrops("close-reconnect")},
	{"hub ends a connection without a word", 6, 0, 0, 0, hubDrops("eof")},
	{"hub resets a connection", 6, 0, 0, 0, hubDrops("reset")},
	{"hub's connection falls silent", 6, 0, 0, 0, hubDrops("silent")},
	{"hub stalls", 6, 0, 1, 0.1, func(h *premises, s strike) {
		h.post(h.sim.url+"/control/stall", map[string]any{"duration": s.lasts.String()})
		wait(h.t.Context(), s.lasts)
	}},
	{"hub restarts", 6, 0, 0.5, 0, func(h *premises, s strike) { // as far as anybody can see from outside
		for _, what := range []string{"token-5xx", "negotiate-5xx", "connect-5xx"} {
			h.post(h.sim.url+"/control/fail", map[string]any{"what": what, "count": 1 + s.victim%3})
		}
		h.drop("reset", "")
		wait(h.t.Context(), s.lasts)
	}},
	{"Reapit answers 503", 6, 0, 1.5, 0.2, func(h *premises, s strike) { h.ails(s, ailment{name: "all 503", action: `{"status":503}`}) }},
	{"Reapit answers 429", 6, 0, 0.5, 0.1, func(h *premises, s strike) {
		h.ails(s, ailment{name: "all 429", action: `{"status":429,"retryAfter":{"after":"1s"}}`, asks: time.Second})
	}},
	{"Reapit hangs", 4, 0, 1, 0.2, func(h *premises, s strike) { h.ails(s, ailment{name: "all hang", action: `{"hang":true}`}) }},
}

func (h *premises) victim(s strike) *spot {
	service := rolledOver[s.victim%len(rolledOver)]
	return h.all[service][s.victim/len(rolledOver)%2]
}

func (h *premises) deliverer(s strike) ways { return h.ways[h.all[stack.Deliver][s.victim%2].name] }

// killed ends a replica with kill -9, and remembers it of one that delivers.
func (h *premises) killed(p *spot) {
	delivers := p.service == stack.Deliver && p.role() == delivering
	p.disk.Lock()
	defer p.disk.Unlock()
	from := time.Now()
	p.kill()
	if p.service == stack.Deliver {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.kills = append(h.kills, span{from, time.Now()})
		if delivers {
			h.orphaned = append(h.orphaned, span{from, time.Now()})
		}
	}
}

// stopped ends a replica in order. Before it is alive nobody hears the signal.
func (h *premises) stopped(p *spot) {
	h.quorum.patiently(func() bool { return h.ask(p.url+"/healthz", nil) == nil })
	p.disk.Lock()
	defer p.disk.Unlock()
	p.stop()
}

func pauseSpot(h *premises, s strike) {
	p := h.victim(s)
	defer h.deafens(p)()
	defer h.stills(p)()
	p.pause()
	wait(h.t.Context(), s.lasts)
	p.resume()
}

// wind has a replica come back with a wrong clock, one of each service at a time.
func (h *premises) wind(s strike, ahead int) {
	p := h.victim(s)
	for _, other := range h.all[p.service] {
		if other.ahead != 0 {
			p = other
		}
	}
	h.stopped(p)
	h.dress(p, h.second, ahead)
	p.start()
	wait(h.t.Context(), s.lasts)
	h.isWrong(p)
}

// isWrong asks a replica for the time, if it answers already.
func (h *premises) isWrong(p *spot) {
	client := http.Client{Timeout: time.Second}
	answer, err := client.Get(p.url + "/healthz")
	if err != nil || h.second == binaries {
		return
	}
	_ = answer.Body.Close()
	said, err := http.ParseTime(answer.Header.Get("Date"))
	if off := time.Since(said).Seconds() + float64(p.ahead); err != nil || off < -1 || off > 2 {
		h.t.Errorf("%s, whose clock ought to be %d s ahead, says that it is %v (%v)", p.name, p.ahead, said, err)
		return
	}
	h.quorum.note(clocksWrong)
}

const clocksWrong = "replicas that said that their clock was wrong"

func (h *premises) cut(s strike, silently bool) {
	p := h.victim(s)
	defer h.deafens(p)()
	join := h.cutOff(p, silently)
	wait(h.t.Context(), s.lasts)
	join()
}

// deafens begins a time in which a replica of deliver may not hear what CALLS has;
// the returned function ends it.
func (h *premises) deafens(p *spot) func() {
	from := time.Now()
	return func() {
		if p.service == stack.Deliver {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.deaf = append(h.deaf, span{from, time.Now()})
		}
	}
}

// stills begins a time in which a replica of deliver or ingest stands still; the
// returned function ends it.
func (h *premises) stills(p *spot) func() {
	from := time.Now()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch p.service {
		case stack.Deliver:
			h.frozen = append(h.frozen, still{p.name, span{from, time.Now()}})
		case stack.Ingest:
			h.unread = append(h.unread, span{from, time.Now()})
		}
	}
}

func hubDrops(mode string) func(*premises, strike) {
	return func(h *premises, s strike) {
		var all []struct{ ID string }
		h.get(h.sim.url+"/control/connections", &all)
		if len(all) > 0 {
			h.drop(mode, all[s.victim%len(all)].ID)
		}
	}
}

// ails has Reapit fail every notification of a kind for a while.
func (h *premises) ails(s strike, a ailment) {
	rule := h.plant(a, fmt.Sprintf(`{"match":{"path":"/notifications","subType":"incomingCall"},"action":%s}`, a.action))
	wait(h.t.Context(), s.lasts)
	h.desk.heal(rule)
}
