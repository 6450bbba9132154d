package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Entry is one message of a log.
type Entry struct {
	Subject  string
	Header   nats.Header // gets the fence and the position; may be nil
	Data     []byte
	Position Position
}

// Batches reports whether the log's stream takes several messages at once.
func (l *Log) Batches() bool { return l.batches }

// AppendAll sends several messages to the end of a serial log and waits until all of
// them are stored, which takes little longer than one does: with three servers an
// append waits for two disks, and a batch does so once. After an error some of the
// first may be stored; how many only the log tells. A stream that takes no batches
// gets one after the other.
//
// It is a fast batch of the server (ADR-50, nats-server 2.14): every message keeps its
// own fence, and with the first that is refused, or does not arrive, the batch ends.
func (l *Log) AppendAll(entries []Entry) error {
	if len(entries) > 1 && l.batches {
		return l.appendBatch(entries)
	}
	for _, e := range entries {
		if err := l.Append(e.Subject, e.Header, e.Data, e.Position); err != nil {
			return err
		}
	}
	return nil
}

// What a message of a fast batch says of itself in its reply subject:
// <inbox>.<batch>.<flow>.fail.<n>.<operation>.$FI. The flow is after how many messages
// the server tells how far it is; the batch waits for its end alone.
const (
	batchBegins = iota
	batchGoesOn
	batchEnds
)

func (l *Log) appendBatch(entries []Entry) error {
	if err := l.Err(); err != nil {
		return err
	}
	subject, nc := entries[0].Subject, l.js.Conn()
	if l.answers == nil {
		var err error
		if l.answers, err = nc.SubscribeSync(nc.NewInbox() + ".>"); err != nil {
			return l.lose(subject, err)
		}
	}
	id := nuid.Next()
	batch := strings.TrimSuffix(l.answers.Subject, ">") + id
	for i, e := range entries {
		m, operation := l.fenced(e), batchGoesOn
		switch i {
		case 0:
			operation = batchBegins
		case len(entries) - 1:
			operation = batchEnds
		}
		m.Reply = fmt.Sprintf("%s.%d.fail.%d.%d.$FI", batch, len(entries), i+1, operation)
		if err := nc.PublishMsg(m); err != nil {
			return l.lose(e.Subject, err)
		}
		l.took(e.Position)
	}
	if err := l.committed(batch, len(entries)); err != nil {
		return l.lose(subject, fmt.Errorf("%d messages at once: %w", len(entries), err))
	}
	return nil
}

// batchAnswer is what a server says about a batch: how far it is, what is wrong with
// one of its messages, or, without a type, how it ended.
type batchAnswer struct {
	Type  string              `json:"type"`
	Error *jetstream.APIError `json:"error"`
	Count int                 `json:"count"` // stored
}

// committed waits until a batch of n messages is stored.
func (l *Log) committed(batch string, n int) error {
	ctx, cancel := context.WithTimeout(l.ctx, publishTimeout)
	defer cancel()
	for {
		msg, err := l.answers.NextMsgWithContext(ctx)
		if err != nil {
			if cause := l.Err(); cause != nil {
				return cause
			}
			return fmt.Errorf("wait for their ack: %w", err)
		}
		if !strings.HasPrefix(msg.Subject, batch+".") {
			continue // of a batch before
		}
		if msg.Header.Get("Status") == "503" {
			return nats.ErrNoResponders
		}
		var a batchAnswer
		if err := json.Unmarshal(msg.Data, &a); err != nil {
			return fmt.Errorf("read their ack: %w", err)
		}
		switch {
		case a.Error != nil:
			return fenceError(a.Error)
		case a.Type == "ack": // how far it is
		case a.Type == "gap":
			return errBatchGap
		case a.Count != n:
			return errors.New("the server has stored " + strconv.Itoa(a.Count))
		default:
			return nil
		}
	}
}

// errBatchGap means that a message of a batch did not reach the server.
var errBatchGap = errors.New("some of them were lost on their way")
