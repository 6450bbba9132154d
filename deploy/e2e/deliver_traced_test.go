package e2e

import (
	"maps"
	"net"
	"slices"
	"testing"
	"time"
)

// What a gate holds back comes when it lets through again, also of who has hung up
// meanwhile; but not of who has reset the connection, or was not let in before. Its
// book says what happened when.
func TestGateHoldsBackAsANetworkDoes(t *testing.T) {
	hangsUp := func(c *net.TCPConn) { _ = c.CloseWrite() }
	resets := func(c *net.TCPConn) { reset(c) }
	for name, c := range map[string]struct {
		silent bool // before anybody came
		leaves func(*net.TCPConn)
		want   string
	}{
		"waits":                       {false, nil, "first, held"},
		"hangs up":                    {false, hangsUp, "first, held"},
		"resets":                      {false, resets, "first"},
		"is not let in":               {true, nil, "first, held"},
		"is not let in, and hangs up": {true, hangsUp, ""},
		"is not let in, and resets":   {true, resets, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string)
			g := newGate(t, listening(t, got))
			g.hush(c.silent)
			conn, err := net.Dial("tcp", g.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			client := conn.(*net.TCPConn) //nolint:forcetypeassert // "tcp" gives one
			t.Cleanup(func() { reset(client) })
			_, _ = client.Write([]byte("first"))
			told := ""
			if !c.silent {
				told = <-got
			}
			g.hush(true)
			sent := time.Now()
			_, _ = client.Write([]byte(", held"))
			knows := func(what func(p *transit) bool) {
				eventually(t, func() (is bool) {
					g.note(func() { is = len(g.book) == 1 && what(g.book[0]) })
					return is
				})
			}
			knows(func(p *transit) bool { return p.taken == len("first, held") })
			if c.leaves != nil {
				c.leaves(client)
				knows(func(p *transit) bool { return !p.gone.IsZero() })
			}
			healed := time.Now()
			g.hush(false)
			for told != c.want {
				told += <-got
			}
			_ = client.CloseWrite() // or it has gone
			if c.want != "" {
				if more, is := <-got; is {
					t.Errorf("the target was told %q besides", more)
				}
			}
			eventually(t, func() (is bool) {
				g.note(func() { is = len(g.open) == 0 })
				return is
			})
			for _, p := range g.transits() {
				kept := slices.ContainsFunc(p.held, func(h span) bool { return !h.from.Before(sent) && h.from.Before(healed) && !h.until.Before(healed) })
				if kept != (c.want == "first, held") && !c.silent || p.gone.Before(healed) != (c.leaves != nil) {
					t.Errorf("sent at %v, healed at %v: %+v", sent, healed, p)
				}
			}
			if n := len(g.transits()); n != 1 && c.want != "" || n != 0 && c.want == "" {
				t.Errorf("the target has seen %d connections", n)
			}
		})
	}
}

// listening says what one connection told it, and closes got behind its end; if none
// comes, at the test's.
func listening(t *testing.T, got chan<- string) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		defer close(got)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		buffer := make([]byte, 100)
		for {
			n, err := c.Read(buffer)
			if n > 0 {
				got <- string(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited 10 s in vain")
		}
	}
}

// booked is what was seen of two replicas: of each the connections to Reapit, and when
// the first stood still.
type booked struct {
	one, other []transit
	frozen     []span
}

// twice has a missed call posted again: first through connection a, where Reapit
// takes 5 s to answer nothing, then through b.
func (e *evidence) twice(later time.Duration) (first, again *request) {
	r, _ := e.of("missedCall", 3)
	r.Remote, r.Status, r.Fault, r.Accepted = "a", 0, 2, false
	next := *r
	r.DurationMS = 5000
	next.Time, next.Remote, next.Status, next.Fault, next.Accepted = r.Time.Add(later), "b", 202, 0, true
	e.add(next)
	return e.by("a"), e.by("b")
}

// accepted has it taken the first time.
func (e *evidence) accepted(later time.Duration) (first, again *request) {
	first, again = e.twice(later)
	first.Status, first.Fault, first.Accepted = 202, 0, true
	return first, again
}

// tardyPop has a call shown a second after its end, through connection a, and returns
// when it was over.
func (e *evidence) tardyPop() (over time.Time) {
	end, _ := e.of("missedCall", 0)
	r, _ := e.inLaneOf(end, "incomingCall")
	stories, _ := e.stories()
	over = stories[laneKey{r.Customer, r.NegotiatorIDs[0], r.CallID}].over()
	r.Remote, r.Time, end.Time = "a", over.Add(time.Second), over.Add(1100*time.Millisecond)
	e.sort()
	return over
}

func (e *evidence) by(remote string) *request {
	return &e.requests[slices.IndexFunc(e.requests, func(r request) bool { return r.Remote == remote })]
}

// What the books of the gates explain is excused, and nothing else: neither a request
// beside the next by whoever could have known, nor one on another connection.
func TestTraceExcusesWhatWasOnItsWay(t *testing.T) {
	const (
		tick   = 100 * time.Millisecond
		second = time.Second
	)
	a := func(r *request, gone time.Time) []transit { return []transit{{as: "a", made: r.Time, gone: gone}} }
	b := func(r *request) []transit { return []transit{{as: "b", made: r.Time}} }
	for name, c := range map[string]struct {
		plant func(e *evidence) booked
		want  []string
	}{
		"beside the next": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{one: a(r, time.Time{}), other: b(next)}
		}, []string{overlapping}},
		"given up before the next": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{one: a(r, next.Time.Add(-tick)), other: b(next)}
		}, nil},
		"given up behind the next": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{one: a(r, next.Time.Add(second)), other: b(next)}
		}, []string{overlapping}},
		"frozen, and given up when it went on": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{one: a(r, next.Time.Add(second+tick)), other: b(next), frozen: []span{{r.Time.Add(second), next.Time.Add(second)}}}
		}, nil},
		"frozen, and not given up when it went on": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{one: a(r, time.Time{}), other: b(next), frozen: []span{{r.Time.Add(second), next.Time.Add(second)}}}
		}, []string{overlapping}},
		"frozen until the next": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{one: a(r, next.Time.Add(tick)), other: b(next), frozen: []span{{r.Time.Add(second), next.Time.Add(-tick)}}}
		}, []string{overlapping}},
		"frozen, while somebody else has it under way": {func(e *evidence) booked {
			r, next := e.twice(2 * second)
			return booked{other: slices.Concat(a(r, next.Time.Add(second+tick)), b(next)), frozen: []span{{r.Time.Add(second), next.Time.Add(second)}}}
		}, []string{overlapping}},
		"more at a time": {func(e *evidence) booked {
			r, next := e.twice(6 * second)
			e.concurrency = 1
			return booked{one: a(r, time.Time{}), other: b(next)}
		}, []string{overConcurrency}},
		"more at a time than whoever gave one up knew": {func(e *evidence) booked {
			r, next := e.twice(6 * second)
			e.concurrency = 1
			return booked{one: a(r, r.Time.Add(tick/4)), other: b(next)}
		}, nil},
		"refused for a limit, beside one that was given up": {func(e *evidence) booked {
			r, _ := e.twice(6 * second)
			refused := *r
			refused.Remote, refused.Time, refused.Status, refused.Fault, refused.DurationMS = "b", r.Time.Add(second), 429, 0, 5
			r = &request{Time: r.Time} // where it stands now, another may
			e.add(refused)
			return booked{one: a(r, r.Time.Add(tick)), other: b(r)}
		}, nil},
		"refused for a limit, behind one that was given up": {func(e *evidence) booked {
			r, _ := e.twice(9 * second)
			refused := *r
			refused.Remote, refused.Time, refused.Status, refused.Fault, refused.DurationMS = "b", r.Time.Add(7*second), 429, 0, 5
			r = &request{Time: r.Time} // likewise
			e.add(refused)
			return booked{one: a(r, r.Time.Add(tick)), other: b(r)}
		}, []string{limited}},
		"repeated, though its answer got through": {func(e *evidence) booked {
			r, next := e.accepted(6 * second)
			return booked{one: a(r, next.Time.Add(-tick)), other: b(next)}
		}, []string{postedTwice}},
		"repeated, for its answer did not get through": {func(e *evidence) booked {
			r, next := e.accepted(6 * second)
			one := a(r, next.Time.Add(-tick))
			one[0].back = []span{{from: r.end().Add(time.Millisecond), until: next.Time.Add(second)}}
			return booked{one: one, other: b(next)}
		}, nil},
		"repeated, for the answer to a later one did not get through": {func(e *evidence) booked {
			r, next := e.accepted(6 * second)
			later := next.Time.Add(-second / 2)
			one := a(r, next.Time.Add(-tick))
			one[0].back = []span{{from: later.Add(time.Millisecond)}}
			next = &request{Time: next.Time}
			e.add(request{Path: "/oauth/token", Remote: "a", Time: later})
			return booked{one: one, other: b(next)}
		}, []string{postedTwice}},
		"repeated, though its answer got through in the end": {func(e *evidence) booked {
			r, next := e.accepted(6 * second)
			one := a(r, next.Time.Add(second))
			one[0].back = []span{{from: r.end().Add(time.Millisecond), until: next.Time.Add(-tick)}}
			return booked{one: one, other: b(next)}
		}, []string{postedTwice}},
		"shown after the end": {func(e *evidence) booked {
			over := e.tardyPop()
			return booked{one: []transit{{as: "a", made: over.Add(-second)}}}
		}, []string{afterTheEnd}},
		"shown after the end, sent before": {func(e *evidence) booked {
			over := e.tardyPop()
			return booked{one: []transit{{as: "a", made: over.Add(-second), held: []span{{over.Add(-tick), over.Add(second - 1)}}}}}
		}, nil},
		"shown after the end, sent after it": {func(e *evidence) booked {
			over := e.tardyPop()
			return booked{one: []transit{{as: "a", made: over.Add(-second), held: []span{{over.Add(4 * tick), over.Add(second - 1)}}}}}
		}, []string{afterTheEnd}},
		"shown after the end, behind what was held back": {func(e *evidence) booked {
			over := e.tardyPop()
			e.add(request{Path: "/oauth/token", Remote: "a", Time: over.Add(second / 2)})
			return booked{one: []transit{{as: "a", made: over.Add(-second), held: []span{{over.Add(-tick), over.Add(4 * tick)}}}}}
		}, []string{afterTheEnd}},
		"shown after the end, while another connection was held back": {func(e *evidence) booked {
			over := e.tardyPop()
			return booked{one: []transit{{as: "b", made: over.Add(-second), held: []span{{over.Add(-tick), over.Add(second - 1)}}}, {as: "a", made: over.Add(-second)}}}
		}, []string{afterTheEnd}},
	} {
		t.Run(name, func(t *testing.T) {
			e := honest()
			seen := c.plant(e)
			var frozen []still
			for _, f := range seen.frozen {
				frozen = append(frozen, still{"one", f})
			}
			e.trace(map[string][]transit{"one": seen.one, "other": seen.other}, frozen)
			found := e.check()
			if got := slices.Sorted(maps.Keys(kindsOf(found))); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
				t.Errorf("found %v, want %v:\n%v", got, c.want, found)
			}
		})
	}
}
