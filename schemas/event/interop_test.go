package event_test

import (
	"context"
	"testing"
	"time"

	sdk "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
)

const (
	stream  = "INTEROP"
	subject = "INTEROP.calls"
)

// peer is a JetStream, and the protocol of the Go SDK on the same stream.
type peer struct {
	js       jetstream.JetStream
	protocol *sdk.Protocol
}

func newPeer(t *testing.T) peer {
	t.Helper()
	server := bustest.Run(t)
	js := server.JetStream("ours")
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: []string{stream + ".>"}, Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	protocol, err := sdk.NewProtocol(server.URL(), stream, subject, subject, nil, nil, []nats.SubOpt{nats.DeliverAll()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { protocol.Conn.Close() })
	return peer{js, protocol}
}

// publish sends an event as we write it.
func (p peer) publish(t *testing.T, e cloudevents.Event) {
	t.Helper()
	header, body := encode(t, e)
	if _, err := p.js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: header, Data: body}); err != nil {
		t.Fatal(err)
	}
}

// receive takes the next event from the SDK's protocol.
func (p peer) receive(t *testing.T) cloudevents.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	m, err := p.protocol.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e, err := binding.ToEvent(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Finish(nil); err != nil {
		t.Fatal(err)
	}
	return *e
}

// open lets the SDK's protocol consume until the test ends.
func (p peer) open(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.protocol.OpenInbound(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("consume: %v", err)
		}
	})
}

// last reads the newest message of the stream and decodes it.
func (p peer) last(t *testing.T) (*jetstream.RawStreamMsg, cloudevents.Event) {
	t.Helper()
	s, err := p.js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(m.Header, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	return m, e
}

func TestTheSDKReadsWhatWeWrite(t *testing.T) {
	p := newPeer(t)
	p.open(t)

	sent := sample("0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30")
	p.publish(t, sent)
	if got := p.receive(t); !same(sent, got) {
		t.Errorf("sent\n%v\ngot\n%v", sent, got)
	}

	// Without the ce-datacontenttype that we write beside Content-Type, the SDK
	// would not see the content type: it looks for content-type only.
	header, body := encode(t, sent)
	delete(header, "ce-datacontenttype")
	if _, err := p.js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: header, Data: body}); err != nil {
		t.Fatal(err)
	}
	if got := p.receive(t); got.DataContentType() != "" {
		t.Errorf("the SDK now reads Content-Type: %q", got.DataContentType())
	}

	// The SDK does not decode header values, so it shows them as they travel.
	p.publish(t, sample(`Zoë "x" 100%`))
	if got, want := p.receive(t).Subject(), "Zo%C3%AB%20%22x%22%20100%25"; got != want {
		t.Errorf("the SDK reads subject %q, used to read %q", got, want)
	}
}

func TestWeReadWhatTheSDKWrites(t *testing.T) {
	p := newPeer(t)
	for name, ctx := range map[string]context.Context{
		"binary": t.Context(), "structured": binding.WithForceStructured(t.Context()),
	} {
		for _, subject := range []string{"c", "Zoë", `say "hi"`, "😀", "100%"} {
			sent := sample(subject)
			sent.DataEncoded = []byte(`{"a":1}`)
			if err := p.protocol.Send(ctx, binding.ToMessage(&sent)); err != nil {
				t.Fatal(err)
			}
			m, got := p.last(t)
			if !same(sent, got) {
				t.Errorf("%s: sent\n%v\ngot\n%v", name, sent, got)
			}
			if binary := m.Header.Get("ce-specversion") != ""; binary != (name == "binary") {
				t.Errorf("%s: headers %v", name, m.Header)
			}
		}
	}
}

// The SDK escapes nothing, so what looks like an escape in what it writes is
// decoded by any reader that keeps to the binding, and line ends are lost.
func TestWhatTheSDKLosesInBinaryMode(t *testing.T) {
	p := newPeer(t)
	for sent, want := range map[string]string{"%41": "A", "a\nb": "a b"} {
		e := sample(sent)
		if err := p.protocol.Send(t.Context(), binding.ToMessage(&e)); err != nil {
			t.Fatal(err)
		}
		if _, got := p.last(t); got.Subject() != want {
			t.Errorf("the SDK's %q is read as %q, used to be %q", sent, got.Subject(), want)
		}
		p.publish(t, e)
		if _, got := p.last(t); !same(e, got) {
			t.Errorf("our own %q is read as %q", sent, got.Subject())
		}
	}
}

// The server keeps our headers and bodies byte for byte.
func TestOurEventsSurviveTheServer(t *testing.T) {
	p := newPeer(t)
	for _, subject := range []string{"c", `Zoë "x" 100% %41`, "tab\tline\r\nend\x00\x7f", "😀"} {
		sent := sample(subject)
		sent.DataEncoded = []byte{0, 0xff, '\r', '\n', '\r', '\n'}
		p.publish(t, sent)
		if _, got := p.last(t); !same(sent, got) {
			t.Errorf("sent\n%v\ngot\n%v", sent, got)
		}
	}
}
