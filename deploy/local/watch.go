package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// watcher reads what passes, from the present ends of the streams on.
type watcher struct {
	js     jetstream.JetStream
	writer writer
	tally  *tally
	seen   chan<- entry
}

// watch begins to read and returns when everything that happens from now on
// will be seen. Readers end with ctx; one that ends before fails with why.
// wait returns when all have ended.
func watch(ctx context.Context, fail context.CancelCauseFunc, s *stack.Stack, w writer, t *tally, seen chan<- entry) (wait func(), err error) {
	nc, err := bus.Connect(ctx, bus.Config{URL: s.NATSURL()}, "timeline", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	js, err := bus.JetStream(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	a := &watcher{js, w, t, seen}
	reads, err := a.reads(ctx, s)
	if err != nil {
		nc.Close()
		return nil, err
	}
	var readers sync.WaitGroup
	for _, read := range reads {
		readers.Go(func() { fail(read()) }) // nobody hears it once ctx has ended
	}
	return func() {
		readers.Wait()
		nc.Close()
	}, nil
}

// reads has found every beginning when it returns.
func (w *watcher) reads(ctx context.Context, s *stack.Stack) ([]func() error, error) {
	var reads []func() error
	for _, r := range []struct {
		stream, filter string
		handle         func(bus.Message) error
	}{
		{topology.RTE, "rte.>", w.raw},
		{topology.Calls, "calls.>", w.call},
		{topology.Deliveries, "deliveries.>", func(m bus.Message) error { return w.outcome(m, s.ReapitSim() == "") }},
	} {
		stream, err := w.js.Stream(ctx, r.stream)
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", r.stream, err)
		}
		next := stream.CachedInfo().State.LastSeq + 1
		reads = append(reads, func() error { return bus.Read(ctx, w.js, r.stream, []string{r.filter}, next, r.handle) })
	}
	if s.ReapitSim() == "" {
		return reads, nil
	}
	stream, err := openStream(ctx, s.ReapitSim())
	if err != nil {
		return nil, err
	}
	return append(reads, func() error { return w.notifications(stream) }), nil
}

func openStream(ctx context.Context, sim string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, sim+"/control/stream", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("follow notifications: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("follow notifications: %s", response.Status), response.Body.Close())
	}
	return response.Body, nil
}

func (w *watcher) notifications(stream io.ReadCloser) error {
	defer func() { _ = stream.Close() }()
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var n notification
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			return fmt.Errorf("read a notification: %w", err)
		}
		w.seen <- w.writer.notification(n)
		w.tally.arrive(arrival{callID: n.Payload.ID, negotiator: n.NegotiatorID, kind: n.SubType})
	}
	return errors.Join(errors.New("the stream of notifications ended"), lines.Err())
}

func (w *watcher) raw(m bus.Message) error {
	if e, ok := w.writer.raw(m); ok {
		w.seen <- e
	}
	return nil
}

func (w *watcher) call(m bus.Message) error {
	e, err := w.writer.call(m)
	if err != nil {
		return err
	}
	w.seen <- e
	return nil
}

// outcome shows a delivery that the simulator does not tell of: one that was
// not made, or any where there is no simulator.
func (w *watcher) outcome(m bus.Message, posts bool) error {
	e, err := w.writer.outcome(m)
	if err != nil {
		return err
	}
	if e.stage != stagePost || posts {
		w.seen <- e
	}
	if e.stage == stagePost {
		w.tally.deliver(arrival{callID: e.callID, negotiator: e.negotiator, kind: e.kind})
	}
	return nil
}
