package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Sentinels of a server that does not do its part.
var (
	// ErrAnew means that a stream is not the one that was looked at: what was
	// read of it before is of another world.
	ErrAnew = errors.New("the stream was made anew, or put back to an earlier state")
	// ErrSilent means that a stream has more and the server does not give it.
	ErrSilent = errors.New("the server gives nothing of what the stream holds")
)

const (
	awayPoll  = 50 * time.Millisecond
	lookAgain = 5 * time.Second  // so often a stream that is being read is looked at
	mostWait  = 30 * time.Second // so long it may not be found, over a connection that stands
	answers   = 5 * time.Second  // then a request counts as lost
)

// online waits for a connection that is being made again. Whose it is ends ctx
// when that takes too long.
func online(ctx context.Context, js jetstream.JetStream) error {
	for js.Conn().IsReconnecting() && ctx.Err() == nil {
		pause(ctx, awayPoll)
	}
	return context.Cause(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// request asks the server for something, and again when the connection was lost
// under it.
func request(ctx context.Context, js jetstream.JetStream, of func(context.Context) error) error {
	return Again(ctx, js, func() error {
		ctx, cancel := context.WithTimeout(ctx, answers)
		defer cancel()
		return of(ctx)
	})
}

// Again does what it takes a connection for, and does it again when that was lost
// meanwhile: what did not come to its end then must be no obstacle to doing it again.
func Again(ctx context.Context, js jetstream.JetStream, do func() error) error {
	for {
		if err := online(ctx, js); err != nil {
			return err
		}
		before := js.Conn().Stats().Reconnects
		err := do()
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil, js.Conn().IsClosed(), js.Conn().IsConnected() && js.Conn().Stats().Reconnects == before:
			return err
		}
	}
}

// Same makes sure that a stream is the one that it was.
func Same(ctx context.Context, js jetstream.JetStream, was Span) error {
	is, err := Look(ctx, js, was.Name)
	if err == nil && is.Anew(was) {
		err = fmt.Errorf("read stream %s: %w; run it again", was.Name, ErrAnew)
	}
	return err
}

// Watch looks at a stream while it is read: who reads one that is gone, or was
// made anew, or whose server only stands there, hears nothing. It returns why it
// is not to be waited for any longer, or the cause of the end of ctx.
func Watch(ctx context.Context, js jetstream.JetStream, was Span) error {
	for missed := time.Duration(0); ; {
		if pause(ctx, lookAgain); ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := Same(ctx, js, was)
		switch {
		case err == nil:
			missed = 0
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, jetstream.ErrJetStreamNotEnabled), missed >= mostWait:
			return err
		default:
			missed += lookAgain
		}
	}
}
