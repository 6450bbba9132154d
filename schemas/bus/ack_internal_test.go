package bus

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestReadAck(t *testing.T) {
	for text, want := range map[string]jetstream.PubAck{
		`{"stream":"RTE","seq":18446744073709551615}`:         {Stream: "RTE", Sequence: 1<<64 - 1},
		`{"stream":"RTE", "seq":12}`:                          {Stream: "RTE", Sequence: 12},
		`{"stream":"RTE","seq":12,"duplicate": true}`:         {Stream: "RTE", Sequence: 12, Duplicate: true},
		`{"stream":"RTE","domain":"hub","seq":12}`:            {Stream: "RTE", Sequence: 12, Domain: "hub"},
		`{"stream":"R\u0054E","seq":12}`:                      {Stream: "RTE", Sequence: 12},
		`{"stream":"RTE","domain":"a\",\"seq\":1}","seq":12}`: {Stream: "RTE", Sequence: 12, Domain: `a","seq":1}`},
	} {
		if got, err := readAck(&nats.Msg{Data: []byte(text)}); err != nil || *got != want {
			t.Errorf("%s: %+v (%v), want %+v", text, got, err, want)
		}
	}
}

func TestReadAckThatIsNone(t *testing.T) {
	for text, want := range map[string]error{
		``:                      jetstream.ErrInvalidJSAck,
		`{}`:                    jetstream.ErrInvalidJSAck,
		`{"stream":"","seq":1}`: jetstream.ErrInvalidJSAck,
		`{"stream":"X","seq":}`: jetstream.ErrInvalidJSAck,
		`{"stream":"X","seq":1`: jetstream.ErrInvalidJSAck,
		`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"stream":"RTE","seq":0}`: jetstream.ErrStreamMessageExceedsMaximum,
	} {
		if ack, err := readAck(&nats.Msg{Data: []byte(text)}); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v, want %v", text, ack, err, want)
		}
	}
	nobody := &nats.Msg{Header: nats.Header{"Status": {"503"}}}
	if _, err := readAck(nobody); !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("nobody: %v", err)
	}
}
