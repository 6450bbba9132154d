package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
)

// ErrLost means that the connection was lost and did not come back in time.
var ErrLost = errors.New("the connection to NATS was lost")

// patience is how long a server that went away is waited for.
const patience = 30 * time.Second

const (
	reconnectAfter = 250 * time.Millisecond
	pingsUnheard   = 2 // then the server only stands there
	pingsPatience  = 6 // pings in the time that is waited for a server
)

// attendance waits for a server that goes away, and ends the work when that
// takes too long: half of an answer must not look like all of it.
type attendance struct {
	patience time.Duration // 0: without end
	say      func(format string, args ...any)
	end      context.CancelCauseFunc

	mu   sync.Mutex
	left bool // nobody is waiting any more
	away bool
	over *time.Timer // runs while there is no connection, if that is not waited for without end
}

func (a *attendance) options() []nats.Option {
	often := a.patience
	if often == 0 {
		often = patience
	}
	return []nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectAfter), nats.PingInterval(often / pingsPatience), nats.MaxPingsOutstanding(pingsUnheard),
		nats.DisconnectErrHandler(a.lost), nats.ReconnectHandler(a.back),
	}
}

func (a *attendance) lost(nc *nats.Conn, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left || nc.IsClosed() || a.away { // which was wanted, or is known
		return
	}
	a.away = true
	if a.patience == 0 {
		a.say("the connection to NATS is lost; it goes on when the server is back, Ctrl-C ends it")
		return
	}
	a.say("the connection to NATS is lost; the server is waited for %s long", a.patience)
	a.over = time.AfterFunc(a.patience, func() {
		a.end(fmt.Errorf("%w and did not come back within %s (NATS_URL, --server)", ErrLost, a.patience))
	})
}

func (a *attendance) back(*nats.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left || !a.away {
		return
	}
	a.away = false
	a.rest()
	a.say("connected to NATS again")
}

// leave stops waiting; nothing is said afterwards.
func (a *attendance) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = true
	a.rest()
}

func (a *attendance) rest() {
	if a.over != nil {
		a.over.Stop()
	}
}

// connected does the work over a connection of its own.
func (c *command) connected(ctx context.Context, work func(context.Context, jetstream.JetStream, Settings) error) error {
	err := c.attended(ctx, c.patience, work)
	if errors.Is(err, ErrLost) {
		return fmt.Errorf("%w: what was printed is not complete; run it again when the server is up", err)
	}
	return err
}

// attended is connected with a patience of its own.
func (c *command) attended(ctx context.Context, patience time.Duration, work func(context.Context, jetstream.JetStream, Settings) error) error {
	s, err := c.connection.settings()
	if err != nil {
		return err
	}
	working, end := context.WithCancelCause(ctx)
	defer end(nil)
	a := &attendance{patience: patience, say: c.say, end: end}
	defer a.leave()
	nc, err := bus.Dial(s.Config, Name, a.options()...)
	if errors.Is(err, nats.ErrNoServers) {
		return fmt.Errorf("%w; another one is named by --server, and make run starts one", err)
	}
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	err = work(working, js, s)
	switch lost := context.Cause(working); {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case ctx.Err() == nil && errors.Is(lost, ErrLost):
		return lost
	case err != nil && nc.IsReconnecting():
		return fmt.Errorf("%w; %w (NATS_URL, --server)", err, ErrLost)
	default:
		return err
	}
}

// say tells what goes on beside the work.
func (c *command) say(format string, args ...any) {
	begin := ""
	if c.bar != nil { // the bar is written anew behind it
		begin = "\r\x1b[K"
	}
	fmt.Fprintf(c.err, begin+Name+": "+format+"\n", args...)
}

// shared is a writer for several at a time.
type shared struct {
	mu sync.Mutex
	io.Writer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Writer.Write(b)
}
