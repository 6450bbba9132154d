package hub

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// supervisor does what a [session.Machine] asks for and tells it how that went.
type supervisor struct {
	hub     *Hub
	machine session.Machine

	// Of the present attempt, as far as it has come.
	grant rte.Grant
	ws    *websocket.Conn
	id    string
	c     *connection
	err   error // why it has ended
}

func (h *Hub) supervisor() *supervisor {
	return &supervisor{hub: h, machine: session.New(h.Limits.session())}
}

// Run listens until ctx ends, and then says good-bye to the hub.
func (h *Hub) Run(ctx context.Context) {
	s := h.supervisor()
	for e := s.happened(session.Begin); ; e = s.step(ctx) {
		next, err := s.machine.Next(e)
		if err != nil { // an error of this package; the process must go on
			h.Log.Error("the supervisor starts anew", telemetry.Error, err)
			next, _ = session.New(h.Limits.session()).Next(s.happened(session.Begin))
		}
		s.machine = next
		switch e.Kind {
		case session.Ended:
			s.tell(e.Cause)
		case session.Stop:
			h.Observe.Ended(session.Stopped)
			h.Log.Info("connection to the hub closed", telemetry.Reason, session.Stopped)
			return
		}
	}
}

func (s *supervisor) happened(k session.Kind) session.Event {
	return session.Event{Kind: k, At: time.Now()}
}

// tell reports an ending, once it is known what follows.
func (s *supervisor) tell(cause session.Cause) {
	pause := time.Duration(0)
	if s.machine.State == session.BackOff {
		pause = s.machine.Limit
	}
	s.hub.Observe.Ended(cause)
	s.hub.Log.Warn("no connection to the hub", telemetry.Reason, cause, telemetry.Error, s.err,
		"failures", s.machine.Failures, "retry_in", pause.Round(time.Millisecond).String())
}

// job is what a state is for, and the event of its success.
type job struct {
	do   func(*supervisor, context.Context) error
	done session.Kind
}

// bounded ends a job at the limit of its state.
func bounded(do func(*supervisor, context.Context) error) func(*supervisor, context.Context) error {
	return func(s *supervisor, ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, s.machine.Limit)
		defer cancel()
		return do(s, ctx)
	}
}

// jobs has no row for Idle: nothing is done there. Those of Subscribe and Live
// keep their limits answer by answer and sign of life by sign of life.
var jobs = map[session.State]job{
	session.Token:     {bounded((*supervisor).token), session.Granted},
	session.Negotiate: {bounded((*supervisor).negotiate), session.Connected},
	session.Handshake: {bounded((*supervisor).handshake), session.Agreed},
	session.Subscribe: {(*supervisor).subscribe, session.Subscribed},
	session.Live:      {(*supervisor).listen, session.Ended},
	session.BackOff:   {(*supervisor).wait, session.Waited},
}

// step does what the state is for, and cleans up where that ended an attempt.
func (s *supervisor) step(ctx context.Context) session.Event {
	job := jobs[s.machine.State]
	err := job.do(s, ctx)
	e := s.happened(job.done)
	if err == nil && ctx.Err() == nil {
		return e
	}
	e.Kind, e.Cause, e.Chance = session.Ended, s.cause(ctx, err), mathrand.Float64()
	if e.Cause == session.Stopped {
		e.Kind = session.Stop
	}
	s.end(e.Cause, err)
	return e
}

func (s *supervisor) cause(ctx context.Context, err error) session.Cause {
	if s.c == nil || ctx.Err() != nil {
		return causeOf(ctx, err)
	}
	return s.c.cause(err)
}

// end frees what the attempt holds.
func (s *supervisor) end(cause session.Cause, err error) {
	reason := string(cause)
	if err != nil && cause != session.Stopped {
		reason += ": " + err.Error()
	}
	s.err = err
	if cause == session.Unauthorized {
		s.hub.kept = rte.Grant{}
	}
	s.hub.status.Store(&Status{Trouble: reason})
	if s.c != nil {
		s.c.close(cause) // it waits for the sink, which may take as long as an outage of NATS
		if s.c.opened {
			s.hub.Sink.Closed(reason)
		}
	}
	s.c = nil
}

// token fetches one. Where the REST API is away, the last one serves as long as
// it is valid.
func (s *supervisor) token(ctx context.Context) error {
	grant, err := s.hub.Grant(ctx)
	away := errors.Is(err, rte.ErrUnreachable) || errors.Is(err, rte.ErrMalformed)
	if away && time.Now().Before(s.hub.kept.Expires) {
		s.hub.Log.Warn("no new token; the last one is still valid", telemetry.Error, err, "expires", s.hub.kept.Expires)
		grant, err = s.hub.kept, nil
	}
	s.grant = grant
	if err == nil {
		s.hub.kept = grant
	}
	return err
}

func (s *supervisor) negotiate(ctx context.Context) (err error) {
	s.ws, s.id, err = dial(ctx, s.hub.HTTP, s.grant, s.hub.Limits.Message)
	return err
}

func (s *supervisor) handshake(ctx context.Context) error {
	h := s.hub
	c := &connection{hub: h, host: s.grant.Host(), epoch: rand.Text(), answers: map[rte.EntitySubscription]event.Subscription{}}
	c.renewal = newRenewal(h, s.grant)
	c.tap = newTap(s.ws, s.id, h.Limits.Message, h.Limits.Write, h.Sink.Message, c.stray)
	s.c = c
	if err := c.start(ctx); err != nil {
		return err
	}
	h.Sink.Opened(c.epoch, c.host, c.tap.heardAt)
	c.opened = true
	h.status.Store(&Status{Connected: true, Host: c.host})
	return nil
}

// subscribe returns once the hub has taken something.
func (s *supervisor) subscribe(ctx context.Context) error {
	if err := s.c.begin(ctx); err != nil {
		return err
	}
	return s.c.serve(ctx, func() bool { return s.c.held() > 0 })
}

func (s *supervisor) listen(ctx context.Context) error {
	return s.c.serve(ctx, func() bool { return false })
}

func (s *supervisor) wait(ctx context.Context) error {
	timer := time.NewTimer(s.machine.Limit)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
