package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/topology"
)

const (
	dialTimeout    = 5 * time.Second
	firstRetry     = 250 * time.Millisecond
	longestRetry   = 5 * time.Second
	publishTimeout = 5 * time.Second // an ack that takes longer counts as lost

	// A server whose machine is gone closes no connection. The third ping that is
	// due finds that: after 9 s, where the library would take 6 minutes.
	pingInterval = 3 * time.Second
	pingsOut     = 2
)

// Dial connects once. name is shown by the server and makes the inbox prefix,
// which is that of the [topology.Role] of this name. The error names the setting
// to look at.
func Dial(cfg Config, name string, extra ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("ringstream " + name), nats.CustomInboxPrefix(topology.InboxPrefix(topology.Role(name))),
		nats.Timeout(dialTimeout), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(pingsOut),
	}
	nc, err := nats.Connect(strings.Join(cfg.Servers(), ","), slices.Concat(opts, cfg.admission(), extra)...)
	if err != nil {
		return nil, explain(err, cfg)
	}
	return nc, nil
}

// Redacted is NATS_URL without passwords.
func (c Config) Redacted() string {
	servers := c.Servers()
	for i, s := range servers {
		if u, err := url.Parse(s); err == nil {
			servers[i] = u.Redacted()
		}
	}
	return strings.Join(servers, ",")
}

// Connect connects and stays connected: it retries until ctx ends, and the
// connection it returns reconnects without end. It logs what keeps it from
// connecting. The only error is that of ctx.
func Connect(ctx context.Context, cfg Config, name string, log *slog.Logger) (*nats.Conn, error) {
	var made atomic.Pointer[nats.Conn] // for what is called without one
	var news, refusals news
	tell := func(err error) {
		if err = explain(err, cfg); news.fresh(err) {
			log.Error("not connected to NATS yet", "error", err)
		}
	}
	opts := []nats.Option{
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() { // which was wanted
				log.Warn("disconnected from NATS", "error", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { tell(err) }),
		// The library tells of no attempt that TLS ended but in its last error.
		nats.CustomReconnectDelay(func(int) time.Duration {
			if err := made.Load().LastError(); err != nil && !errors.Is(err, nats.ErrInvalidConnection) {
				tell(err)
			}
			return firstRetry + rand.N(firstRetry)
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS again", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
			if unauthorized(err) || nc.IsReconnecting() {
				return // the next delay tells it
			}
			if refusals.fresh(err) {
				log.Warn("NATS refused something", "error", err, "subject", subjectOf(sub))
			}
		}),
	}
	err := retry(ctx, log, func() error {
		nc, err := Dial(cfg, name, opts...)
		made.Store(nc)
		return err
	})
	return made.Load(), err
}

func subjectOf(sub *nats.Subscription) string {
	if sub == nil {
		return ""
	}
	return sub.Subject
}

// JetStream opens JetStream on a connection with the limits that a pipelined,
// fenced writer needs: acks that time out, and no silent repeats.
func JetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(publishTimeout),
		jetstream.WithPublishAsyncMaxPending(4*defaultWindow), jetstream.WithDefaultTimeout(dialTimeout))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return js, nil
}

// retry repeats an operation with jittered exponential waits until it
// succeeds or ctx ends, and logs each different error once a minute at most.
func retry(ctx context.Context, log *slog.Logger, operation func() error) error {
	wait := firstRetry
	var news news
	for {
		err := operation()
		if err == nil {
			return nil
		}
		if news.fresh(err) {
			log.Error("retrying", "error", err)
		}
		if !pause(ctx, wait/2+rand.N(wait)) {
			return context.Cause(ctx)
		}
		wait = min(2*wait, longestRetry)
	}
}

// news tells what was not said within the last minute. That an attempt came from
// another port makes it no news.
type news struct {
	mu   sync.Mutex
	said map[string]time.Time
}

const (
	newsLife = time.Minute
	newsKept = 16 // different ones
)

var ownPort = regexp.MustCompile(`:\d+->`)

func (n *news) fresh(err error) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	text, now := ownPort.ReplaceAllString(err.Error(), "->"), time.Now()
	if said, known := n.said[text]; known && now.Sub(said) < newsLife {
		return false
	}
	if n.said == nil || len(n.said) >= newsKept {
		n.said = map[string]time.Time{}
	}
	n.said[text] = now
	return true
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
