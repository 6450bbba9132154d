package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/philippseith/signalr"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// How a connection ends that was not to end.
var (
	errSilent   = errors.New("no answer from the hub in time") // or nothing said
	errGoodbye  = errors.New("the hub closed the connection")
	errSentAway = errors.New("the hub closed the connection for good")
	errBroken   = errors.New("the connection broke")
)

// connection is one connection that has shaken hands, until it ends.
type connection struct {
	hub    *Hub
	host   string
	epoch  string
	tap    *tap
	client signalr.Client
	cancel context.CancelFunc
	ended  <-chan struct{} // the library has ended

	renewal  *renewal
	stamp    stamp // of the subscriptions file as it was last read
	opened   bool  // the sink knows of it
	complete bool  // everything wanted has been asked for once
	wanted   int
	answers  map[rte.EntitySubscription]event.Subscription // newest answer to each item, by key
}

// libraryLimit is the largest record that the library gets to see: answers, no
// messages. It allocates that much for each connection.
const libraryLimit = 1 << 20

// start runs the handshake. The client's context is its own, so that the end of
// ctx leaves time for a good-bye.
func (c *connection) start(ctx context.Context) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	go c.tap.run()
	limits := c.hub.Limits
	client, err := signalr.NewClient(own, signalr.WithConnection(c.tap), signalr.Logger(log.NewNopLogger(), false),
		signalr.MaximumReceiveMessageSize(libraryLimit), signalr.HandshakeTimeout(limits.Handshake),
		signalr.KeepAliveInterval(limits.KeepAlive), signalr.TimeoutInterval(limits.Silence))
	if err != nil {
		return fmt.Errorf("make a SignalR client: %w", err)
	}
	c.client = client
	client.Start()
	// The library holds a lock while it shakes hands; closing the socket frees it.
	defer context.AfterFunc(ctx, c.tap.close)()
	err = c.shaken(<-client.WaitForState(ctx, signalr.ClientConnected))
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrRefused, rte.Explain(ctx.Err()))
	}
	if err != nil {
		return fmt.Errorf("shake hands with the hub at %s: %w", c.host, err)
	}
	c.ended = over(client.WaitForState(own, signalr.ClientClosed))
	go c.tap.live(lifeEvery)
	go c.tap.ping(pingEvery)
	return nil
}

// shaken says how the handshake ended, given the library's word for it. The
// library may have been connected for too short a time to be seen so.
func (c *connection) shaken(err error) error {
	answer := c.tap.answer.Load()
	switch {
	case err == nil:
		return nil
	case answer != nil && answer.Error == "" && c.tap.over():
		return c.ending()
	case answer == nil && c.tap.over():
		err = c.ending()
	}
	return fmt.Errorf("%w: %w", ErrRefused, rte.Explain(err))
}

// over is closed when wait is: only that it ended matters, not how waiting did.
func over[T any](wait <-chan T) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range wait { // the library closes it at last
		}
	}()
	return done
}

// begin subscribes everything wanted for the first time.
func (c *connection) begin(ctx context.Context) error {
	c.stamp = c.hub.Source.stamp()
	return c.reconcile(ctx)
}

// serve keeps the subscriptions as they are wanted, and a token for the next
// connection, until the connection ends or it is enough. It returns nil, too,
// when ctx has ended.
func (c *connection) serve(ctx context.Context, enough func() bool) error {
	retry, poll := time.NewTicker(c.hub.Limits.Retry), time.NewTicker(c.hub.Limits.Poll)
	defer retry.Stop()
	defer poll.Stop()
	aside, cancel := context.WithCancel(ctx)
	defer c.renewal.pause()
	defer cancel()
	for !enough() {
		again := false
		select {
		case <-ctx.Done():
			c.goodbye()
			return nil
		case <-c.tap.done:
			return c.ending()
		case <-c.ended:
			return c.ending()
		case <-retry.C:
			again = c.held() < c.wanted
		case <-poll.C:
			now := c.hub.Source.stamp()
			c.stamp, again = now, now != c.stamp
		case <-c.renewal.timer.C:
			c.renewal.start(aside)
		case f := <-c.renewal.fetched:
			c.renewal.take(f)
		}
		if !again {
			continue
		}
		if err := c.reconcile(ctx); errors.Is(err, errSilent) {
			return err
		} else if err != nil {
			c.hub.Log.Warn("subscriptions left as they are", telemetry.Error, err)
		}
	}
	return nil
}

// ending says how the connection ended.
func (c *connection) ending() error {
	if f := c.tap.goodbye.Load(); f != nil && f.AllowReconnect {
		return fmt.Errorf("%w: %q", errGoodbye, f.Error)
	} else if f != nil {
		return fmt.Errorf("%w: %q", errSentAway, f.Error)
	}
	if fault := c.tap.fault.Load(); fault != nil {
		return fmt.Errorf("%w: %w", errBroken, rte.Explain(*fault))
	}
	return gaveUp(c.client.Err())
}

// How the library says that nothing came in time; there is no error to compare.
const libraryTimeout = "timeout interval elapsed"

// gaveUp tells why the library ended a connection that nobody had closed.
func gaveUp(err error) error {
	switch {
	case err == nil:
		return errSilent
	case strings.HasPrefix(err.Error(), libraryTimeout):
		return fmt.Errorf("%w: %w", errSilent, err)
	default:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}

// cause classifies how the connection ended, or why it was given up.
func (c *connection) cause(err error) session.Cause {
	goodbye := c.tap.goodbye.Load()
	switch {
	case goodbye != nil && goodbye.AllowReconnect:
		return session.Closed
	case goodbye != nil:
		return session.Dismissed
	case c.opened && c.tap.fault.Load() != nil:
		return session.Lost
	case errors.Is(err, errSilent):
		return session.Silent
	default:
		return causeOf(context.Background(), err)
	}
}

// stray hands over a record that is no message.
func (c *connection) stray(record []byte, reason string) {
	c.hub.Observe.Swallowed(reason)
	c.hub.Log.Warn("the hub sent what is no message; kept as a dead letter", "hub", c.host, "epoch", c.epoch, telemetry.Reason, reason, "bytes", len(record))
	c.hub.Sink.Stray(record, reason)
}

// goodbye gives up all subscriptions, so that the messages before its answer
// are all there were.
func (c *connection) goodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := c.invoke(ctx, rte.MethodUnsubscribeAll); err != nil {
		c.hub.Log.Debug("unsubscribe all", telemetry.Error, err)
	}
}

// close frees everything and returns when the last message was delivered.
func (c *connection) close(cause session.Cause) {
	if c.client != nil && cause == session.Stopped {
		c.client.Stop() // sends a close frame
	}
	c.tap.close()
	c.cancel()
	if c.client != nil {
		c.client.Stop()
	}
	<-c.tap.done
}

// invoke calls a method of the hub and returns its result as JSON.
func (c *connection) invoke(ctx context.Context, method string, arguments ...any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.hub.Limits.Invoke, errSilent)
	defer cancel()
	results := c.client.Invoke(method, arguments...)
	defer over(results) // what is not read would hold the library's goroutines
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", method, context.Cause(ctx))
		case <-c.tap.done:
			return nil, fmt.Errorf("%s: %w", method, c.ending())
		case result, more := <-results:
			answer, done, err := answerOf(result, more)
			if !done {
				continue
			}
			if err != nil && c.tap.over() {
				err = c.ending() // the library only says that it has ended
			}
			return answer, wrap(method, err)
		}
	}
}

// answerOf reads one of the results of an invocation. The library sends the
// value and the absence of an error as two results, in either order, and then
// closes the channel; what returns nothing has neither.
func answerOf(result signalr.InvokeResult, more bool) (answer json.RawMessage, done bool, err error) {
	switch {
	case result.Error != nil:
		return nil, true, fmt.Errorf("%w: %w", ErrRefused, result.Error)
	case result.Value != nil || !more:
		answer, err = json.Marshal(result.Value)
		return answer, true, err
	default:
		return nil, false, nil
	}
}

func wrap(method string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", method, err)
}
