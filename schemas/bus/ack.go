package bus

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	statusHeader = "Status"
	noResponders = "503"
)

// readAck reads the server's answer to a message.
func readAck(m *nats.Msg) (*jetstream.PubAck, error) {
	if len(m.Data) == 0 && m.Header.Get(statusHeader) == noResponders {
		return nil, jetstream.ErrNoStreamResponse
	}
	if ack, plain := plainAck(m.Data); plain {
		return ack, nil
	}
	var answer struct {
		*jetstream.PubAck
		Error *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return nil, jetstream.ErrInvalidJSAck
	case answer.Error != nil:
		return nil, answer.Error
	case answer.PubAck == nil || answer.Stream == "":
		return nil, jetstream.ErrInvalidJSAck
	default:
		return answer.PubAck, nil
	}
}

// How the server writes nearly every ack.
var (
	ackHead = []byte(`{"stream":"`)
	ackSeq  = []byte(`","seq":`)
	ackTail = []byte(`}`)
)

// plainAck reads an ack that says nothing but stream and sequence. It reports
// false for any other.
func plainAck(b []byte) (*jetstream.PubAck, bool) {
	inner, head := bytes.CutPrefix(b, ackHead)
	stream, rest, middle := bytes.Cut(inner, ackSeq)
	digits, tail := bytes.CutSuffix(rest, ackTail)
	if !head || !middle || !tail || len(stream) == 0 || bytes.ContainsAny(stream, `"\`) {
		return nil, false
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return &jetstream.PubAck{Stream: string(stream), Sequence: n}, err == nil
}
