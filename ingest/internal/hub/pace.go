package hub

import (
	"time"

	"github.com/cenkalti/backoff/v5"

	"ringstream/ingest/internal/session"
)

// jitter is the part of a wait that chance adds or takes away.
const jitter = 0.5

// pace says what to do after each ending, and how long to wait before it.
type pace struct {
	state session.State
	waits map[session.Move]*backoff.ExponentialBackOff
}

func newPace(l Limits) *pace {
	return &pace{waits: map[session.Move]*backoff.ExponentialBackOff{
		session.BackOff:  upTo(l.LastWait, l.FirstWait),
		session.BackWell: upTo(l.LongWait, l.FirstWait),
	}}
}

// upTo waits longer each time, and never longer than last.
func upTo(last, first time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: first, MaxInterval: time.Duration(float64(last) / (1 + jitter)), Multiplier: 2, RandomizationFactor: jitter,
	}
}

// next starts the waits over with every new row of failures, whose first move
// may be none of theirs.
func (p *pace) next(e session.Ending) (move session.Move, pause time.Duration) {
	p.state, move = p.state.Next(e)
	if p.state.Failures == 1 {
		for _, w := range p.waits {
			w.Reset()
		}
	}
	if w := p.waits[move]; w != nil {
		pause = w.NextBackOff()
	}
	return move, pause
}
