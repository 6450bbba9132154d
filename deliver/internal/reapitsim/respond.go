package reapitsim

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// Latency is added to every answer of the platform, spread evenly over mean ± jitter.
type Latency struct {
	MeanMS   int `json:"meanMs"`
	JitterMS int `json:"jitterMs"`
}

func (l Latency) check() error {
	if l.MeanMS < 0 || l.JitterMS < 0 || l.JitterMS > l.MeanMS {
		return errors.New("latency cannot be negative, and jitter not above mean")
	}
	return nil
}

// respond lets the request's fault act, then writes the answer.
func (s *Sim) respond(x *exchange, produce func(*exchange) answer) {
	fault := s.faults.take(x)
	x.record.fault(s.journal, fault.ID)
	work := sync.OnceValue(func() answer { return produce(x) })
	if fault.Act.Processed {
		work()
	}
	wait := s.drawLatency() + time.Duration(fault.Act.Delay)
	limit := time.Duration(x.knobs.GatewayTimeout)
	if !s.pause(x, min(wait, limit)) {
		panic(http.ErrAbortHandler) // nobody is left to answer; returning would answer 200
	}
	if wait > limit {
		x.write(gatewayMessage(http.StatusGatewayTimeout, textTimeout))
		return
	}
	s.act(x, fault.Act, work)
}

func (s *Sim) act(x *exchange, a Action, work func() answer) {
	if a.Hang {
		select {
		case <-x.r.Context().Done():
		case <-s.closed:
		}
	}
	if a.Hang || a.Drop {
		panic(http.ErrAbortHandler)
	}
	var out answer
	if a.Status != 0 || a.Body != "" {
		out = a.answer(s.now())
	} else {
		out = work()
	}
	out.pause = time.Duration(a.Slow)
	x.write(out)
}

// pause reports false when the client left, or the Sim was closed, meanwhile.
func (s *Sim) pause(x *exchange, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	left := x.r.Context().Done()
	if x.knobs.Deserted == goesOn {
		left = nil
	}
	select {
	case <-timer.C:
		return true
	case <-left:
	case <-s.closed:
	}
	return false
}

func (s *Sim) drawLatency() time.Duration {
	s.mu.Lock()
	l := s.latency
	s.mu.Unlock()
	return time.Duration(l.MeanMS-l.JitterMS+s.random(2*l.JitterMS+1)) * time.Millisecond
}
