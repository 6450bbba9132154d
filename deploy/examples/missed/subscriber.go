package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	missedCalls = "calls.*.missed.*" // calls.<organization>.<type>.<callId>

	// How long the server waits for an acknowledgement before it sends a message
	// again: as long a row waits after a kill -9.
	ackWait = 5 * time.Second
)

// call is what is read of a call event; schemas/jsonschema/call has all of it.
type call struct {
	CallID         string    `json:"callId"`
	OrganizationID string    `json:"organizationId"`
	OccurredAt     time.Time `json:"occurredAt"`
	Caller         string    `json:"caller"`
	Called         string    `json:"called"`
	Audience       []struct {
		UserName string `json:"userName"`
	} `json:"audience"`
}

// subscriber is what the flags say.
type subscriber struct {
	url, creds, durable string
	mask                bool
}

// write appends what is missed to a file until ctx ends.
func (s subscriber) write(ctx context.Context, file string) error {
	b, err := openBook(file)
	if err != nil {
		return err
	}
	defer b.close()
	opts := []nats.Option{nats.Name("missed"), nats.MaxReconnects(-1)}
	if s.creds != "" {
		opts = append(opts, nats.UserCredentials(s.creds))
	}
	nc, err := nats.Connect(s.url, opts...)
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	messages, err := s.subscribe(ctx, nc)
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue // the server is away, and the library asks again
		case err != nil:
			return fmt.Errorf("read CALLS: %w", err)
		}
		if err := s.take(b, m); err != nil {
			return err
		}
	}
}

// subscribe makes the consumer, or goes on with it. One message at a time keeps
// the rows in the order of the calls, also behind a crash.
func (s subscriber) subscribe(ctx context.Context, nc *nats.Conn) (jetstream.MessagesContext, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "CALLS", jetstream.ConsumerConfig{
		Durable: s.durable, FilterSubject: missedCalls, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", missedCalls, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", missedCalls, err)
	}
	return messages, nil
}

// take stores the row of a message, and only then acknowledges it. What is no
// call event will not become one: it is told and passed over.
func (s subscriber) take(b *book, m jetstream.Msg) error {
	var c call
	id := m.Headers().Get("ce-id")
	if err := json.Unmarshal(m.Data(), &c); err != nil || id == "" {
		slog.Error("passed over what is no call event", "subject", m.Subject(), "error", err)
		return told(m.Term())
	}
	if err := b.add(s.row(id, c)); err != nil {
		return err
	}
	return told(m.Ack())
}

// told reports what an acknowledgement could not be sent for. While the server
// is away that is no harm: the message comes again, and is known.
func told(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) || err == nil {
		return err
	}
	slog.Warn("not acknowledged", "error", err)
	return nil
}

func (s subscriber) row(id string, c call) []string {
	names := make([]string, len(c.Audience))
	for i, u := range c.Audience {
		names[i] = u.UserName
	}
	return []string{id, c.OccurredAt.UTC().Format(time.RFC3339), c.OrganizationID, c.CallID, s.number(c.Caller), s.number(c.Called), strings.Join(names, " ")}
}

// shown is how many digits of a masked number are.
const shown = 3

func (s subscriber) number(n string) string {
	if !s.mask || n == "" {
		return n
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, n)
	if len(digits) <= shown {
		return "…"
	}
	return "…" + digits[len(digits)-shown:]
}
