package app

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
)

// reigns are replicas that compete for the lease and the log, step by step.
type reigns struct {
	*rapid.T
	calls, log, snapshot uint64
	holder               *peer
	sent                 []sending
	peers                []*peer
	names                int
}

type sending struct {
	term int
	call uint64
}

// peer is one replica: idle, looking, or in a term.
type peer struct {
	vacant   vacancy
	term     int // 0: none
	looking  bool
	seen     *vacancy // by the look that is under way, as far as it got
	end      uint64   // where its log ends
	doubted  uint64
	reigning bool // its first snapshot is stored
}

// Whatever is sent by whomever, the next term that stores anything knows of it.
func TestNobodyHasSentWhatIsBehindTheBound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &reigns{T: rt, peers: []*peer{{}, {}}}
		for range 200 {
			p := rapid.SampledFrom(w.peers).Draw(rt, "peer")
			switch rapid.IntRange(0, 19).Draw(rt, "what") {
			case 0, 1, 2:
				w.calls++
			case 3:
				w.holder = nil // who had it may not notice for a while
			case 4:
				w.end(p)
			case 5, 6, 7:
				w.append(p)
			default:
				w.goOn(p)
			}
		}
	})
}

// goOn is the next step of a replica.
func (w *reigns) goOn(p *peer) {
	switch {
	case p.term != 0:
		w.send(p)
	case p.looking && p.seen == nil:
		p.seen = &vacancy{snapshot: w.snapshot}
	case p.looking && !p.seen.known:
		p.seen.known, p.seen.last = true, w.calls
	case p.looking:
		w.looked(p)
	case w.holder != nil: // it waits
	case rapid.Bool().Draw(w.T, "knows the negotiators"):
		w.take(p)
	default:
		w.holder, p.looking, p.seen = p, true, nil
	}
}

func (w *reigns) take(p *peer) {
	w.holder = p
	w.names++
	p.term, p.end, p.reigning = w.names, w.log, false
	p.doubted = p.vacant.bound(time.Time{}, w.snapshot, w.calls)
}

// append is that of a snapshot: fenced, and not by the lease.
func (w *reigns) append(p *peer) {
	if p.term == 0 {
		return
	}
	if p.end != w.log {
		p.term = 0
		return
	}
	w.log++
	w.snapshot, p.end, p.reigning = w.log, w.log, true
}

func (w *reigns) send(p *peer) {
	if p.term == 0 || w.holder != p || !p.reigning || w.calls == 0 {
		return
	}
	for _, s := range w.sent {
		if s.term < p.term && s.call > p.doubted {
			w.Fatalf("term %d takes call event %d for not sent, which term %d has sent (bound %d)", p.term, s.call, s.term, p.doubted)
		}
	}
	w.sent = append(w.sent, sending{p.term, rapid.Uint64Range(1, w.calls).Draw(w.T, "call")})
}

// end is a crash, or a term that notices that it is over.
func (w *reigns) end(p *peer) {
	p.term, p.looking = 0, false
	if w.holder == p && rapid.Bool().Draw(w.T, "released") {
		w.holder = nil
	}
	if rapid.Bool().Draw(w.T, "killed") {
		p.vacant = vacancy{}
	}
}

func (w *reigns) looked(p *peer) {
	if p.looking = false; w.holder == p { // it has noticed nothing else
		p.vacant, w.holder = p.vacant.renewed(*p.seen), nil
	}
}

// Nobody has sent what came when nobody could: it is over, and no screen is
// told of its end. What was under way at the kill is.
func TestCallsWhileNobodyKnowsTheNegotiatorsAreNotClosed(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	killed := r.process("one")
	r.popped()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed: an error is what is expected
	r.forget()
	r.fault(`{"match":{"path":"/negotiators"},"action":{"status":500}}`)
	d := r.deliver(r.settings())
	bustest.Eventually(t, "nobody delivers", func() bool { return d.metric("ringstream_deliver_unread_messages") > 0 })
	r.say(1, event.Ended, "", "jane")
	for c := 2; c < 5; c++ {
		r.say(c, event.Incoming, "", "tom")
		r.say(c, event.Ended, "", "tom")
	}
	r.merged()
	bustest.Eventually(t, "all of it waits", func() bool { return d.metric("ringstream_deliver_unread_messages") >= 7 })
	if d.metric("ringstream_deliver_failing_seconds") <= 0 {
		t.Error("failing is not told")
	}
	r.control("DELETE", "faults", "", nil)
	r.until(8)
	r.want("JAS", brief(r.shown(), "JAS"), []string{"incomingCall 0001", "endedCall 0001"})
	r.want("TOM", brief(r.shown(), "TOM"), []string{})
	r.account()
}
