package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// A reader whose consumer is just being made anew, as after an outage, ends with
// its context like any other.
func TestReadEndsWhileItsConsumerIsMadeAnew(t *testing.T) {
	s := bustest.Run(t)
	admin := s.JetStream("admin")
	stream, err := admin.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Publish(t.Context(), "s", nil); err != nil {
		t.Fatal(err)
	}
	reader, enough := s.JetStream("reader"), errors.New("enough")
	for n := range 200 {
		ctx, end := context.WithCancelCause(t.Context())
		reading, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- bus.Read(ctx, reader, "S", nil, 0, func(bus.Message) error { close(reading); return nil })
		}()
		<-reading
		for name := range stream.ConsumerNames(t.Context()).Name() {
			_ = stream.DeleteConsumer(t.Context(), name) // or it is gone already
		}
		<-time.After(time.Duration(n%40) * 50 * time.Microsecond)
		end(enough)
		select {
		case err := <-ended:
			if !errors.Is(err, enough) {
				t.Fatal(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("it goes on without end, the %d-th time", n)
		}
	}
}

// ahead is a JetStream that knows a stream as its leader does, and reads it where
// it is behind.
type ahead struct {
	jetstream.JetStream
	leader string
}

func (a ahead) Stream(ctx context.Context, _ string) (jetstream.Stream, error) {
	return a.JetStream.Stream(ctx, a.leader)
}

// What is removed before a reader has it is not waited for.
func TestReadAllEndsWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	js := bustest.Run(t).Provisioned(1)
	leader := laggards(t, js)
	two, ended := make(chan struct{}), make(chan error, 1)
	n := 0
	go func() {
		ended <- bus.ReadAll(t.Context(), ahead{js, "leader"}, "lags", []string{"x.>"}, 0, func(bus.Message) error {
			if n++; n == 2 {
				close(two)
			}
			return nil
		})
	}()
	<-two
	if err := leader.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil || n != 2 {
			t.Errorf("read %d, %v", n, err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits without end")
	}
}

// laggards are two streams with the messages one and two; one of them, the leader,
// has a third.
func laggards(t *testing.T, js jetstream.JetStream) (leader jetstream.Stream) {
	t.Helper()
	for _, name := range []string{"lags", "leader"} {
		s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}, SubjectTransform: &jetstream.SubjectTransformConfig{Source: name + ".>", Destination: "x.>"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{"one", "two"} {
			if _, err := js.Publish(t.Context(), name+".y", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		leader = s
	}
	if _, err := js.Publish(t.Context(), "leader.y", []byte("three")); err != nil {
		t.Fatal(err)
	}
	return leader
}

// A consumer at a replica that lags, which knows of no message behind those it has,
// has not read all: the last one comes when the replica has it.
func TestReadAllWaitsForAReplicaThatLags(t *testing.T) {
	t.Parallel()
	js := bustest.Run(t).Provisioned(1)
	laggards(t, js)
	var got []string
	err := bus.ReadAll(t.Context(), ahead{js, "leader"}, "lags", []string{"x.>"}, 0, func(m bus.Message) error {
		if got = append(got, string(m.Data)); len(got) == 2 {
			_, err := js.PublishAsync("lags.y", []byte("three"))
			return err
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("read %q, %v", got, err)
	}
}

// unanswered is a JetStream that loses the answer to every consumer but the first, for a
// while, as when the server is gone that was to give it.
type unanswered struct {
	jetstream.JetStream
	made atomic.Int64
	lose int64
}

func (u *unanswered) CreateConsumer(ctx context.Context, stream string, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	c, err := u.JetStream.CreateConsumer(ctx, stream, cfg)
	if n := u.made.Add(1); n > 1 && n <= 1+u.lose {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c, err
}

// A reader is deaf as long as it takes to make its consumer anew.
func TestReaderIsSoonBackWhoseConsumerIsLost(t *testing.T) {
	t.Parallel()
	s := bustest.Run(t)
	admin := s.JetStream("admin")
	stream, err := admin.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	js := &unanswered{JetStream: s.JetStream("reader"), lose: 2}
	ctx, end := context.WithCancel(t.Context())
	read, ended := make(chan uint64, 2), make(chan error, 1)
	go func() {
		ended <- bus.Read(ctx, js, "S", nil, 0, func(m bus.Message) error { read <- m.Seq; return nil })
	}()
	for n := range uint64(2) {
		if _, err := admin.Publish(t.Context(), "s", nil); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if got := <-read; got != n+1 {
			t.Fatalf("message %d, expected %d", got, n+1)
		}
		if took := time.Since(began); took > 8*time.Second { // three servers that take a second each, and time to spare
			t.Errorf("message %d took %v", n+1, took)
		}
		for name := range stream.ConsumerNames(t.Context()).Name() {
			if err := stream.DeleteConsumer(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	end()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
