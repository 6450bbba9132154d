package bus

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/nats-io/nats.go"
)

// The connection of a [Publisher]: what was in flight when it was lost is sent again
// on the next.

func (p *Publisher) lost(err error) {
	if p.nc == nil {
		return // that is known
	}
	p.wait = min(max(2*p.wait, firstRetry), longestRetry)
	p.Connected(false, err)
	p.log.Warn("publishing interrupted; what was in flight will be sent again", "error", err, "in_flight", p.flying)
	p.hangUp()
}

func (p *Publisher) hangUp() {
	if p.nc != nil {
		p.nc.Close()
		p.nc = nil
	}
}

// connect dials until it succeeds and sends again what was in flight.
func (p *Publisher) connect(ctx context.Context) error {
	if p.wait > 0 && !pause(ctx, p.wait/2+rand.N(p.wait)) {
		return context.Cause(ctx)
	}
	err := retry(ctx, p.log, func() error {
		closed := make(chan struct{})
		nc, err := p.dial(nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		if err != nil {
			p.Connected(false, err)
			return err
		}
		p.nc, p.closed = nc, closed
		return p.listen()
	})
	if err != nil {
		return err
	}
	p.Connected(true, nil)
	for i := range p.window {
		if s := p.window[i].state; s != held && s != stored {
			p.transmit(p.first + uint64(i))
		}
	}
	p.settle()
	return nil
}

// listen makes the inbox of the answers. There are never more of them than
// messages in flight.
func (p *Publisher) listen() error {
	p.inbox, p.answers = p.nc.NewInbox()+".", make(chan *nats.Msg, 2*defaultWindow)
	if _, err := p.nc.ChanSubscribe(p.inbox+"*", p.answers); err != nil {
		p.hangUp()
		return fmt.Errorf("listen for acks: %w", err)
	}
	return nil
}
