package rte

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ringstream/schemas/event"
)

// Separator ends every record of SignalR's JSON protocol.
const Separator = 0x1e

// ErrFrame means that a record is no frame of the protocol.
var ErrFrame = errors.New("not a SignalR frame")

// FrameType is the type of a frame.
type FrameType int

// The frames of the protocol. The last two are sent only to clients that ask
// for stateful reconnect.
const (
	Invocation       FrameType = 1
	StreamItem       FrameType = 2
	Completion       FrameType = 3
	StreamInvocation FrameType = 4
	CancelInvocation FrameType = 5
	Ping             FrameType = 6
	Close            FrameType = 7
	Ack              FrameType = 8
	Sequence         FrameType = 9
)

// Frame is one record of the protocol, read. Which fields count depends on
// Type.
type Frame struct {
	Type           FrameType         `json:"type"`
	InvocationID   string            `json:"invocationId"`
	Target         string            `json:"target"`
	Arguments      []json.RawMessage `json:"arguments"`
	Result         json.RawMessage   `json:"result"` // nil when absent
	Error          string            `json:"error"`
	AllowReconnect bool              `json:"allowReconnect"`
}

// ReadFrame reads a record without its separator. Arguments and Result are
// copies, byte for byte.
func ReadFrame(record []byte) (Frame, error) {
	var f Frame
	if err := json.Unmarshal(record, &f); err != nil {
		return Frame{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if f.Type == 0 {
		return Frame{}, fmt.Errorf("%w: no type", ErrFrame)
	}
	return f, nil
}

// CutRecord cuts the first record off b. It reports false when b holds no whole
// record; rest is then b.
func CutRecord(b []byte) (record, rest []byte, found bool) {
	if record, rest, found = bytes.Cut(b, []byte{Separator}); found {
		return record, rest, true
	}
	return nil, b, false
}

// How ASP.NET Core, and so every record of interest, begins and ends.
var (
	messageHead = []byte(`{"type":1,"target":"MessageReceived","arguments":[`)
	messageTail = []byte(`]}`)
)

// MessageArgument returns the argument of a MessageReceived record, byte for
// byte. It reports false for any other record, and for one with more or fewer
// arguments. The argument may share memory with record.
func MessageArgument(record []byte) (argument []byte, ok bool) {
	if inner, found := bytes.CutPrefix(record, messageHead); found {
		// Two arguments would not be one valid JSON value.
		if inner, found = bytes.CutSuffix(inner, messageTail); found && event.Valid(inner) {
			return bytes.TrimSpace(inner), true
		}
	}
	f, err := ReadFrame(record)
	if err != nil || f.Type != Invocation || len(f.Arguments) != 1 || !strings.EqualFold(f.Target, CallbackMessageReceived) {
		return nil, false
	}
	return f.Arguments[0], true
}

// AppendInvocation appends a call of target with its arguments verbatim. With
// an id the other side answers with a completion; without it does not.
func AppendInvocation(dst []byte, id, target string, arguments ...[]byte) []byte {
	dst = append(dst, `{"type":1,`...)
	if id != "" {
		dst = appendField(dst, "invocationId", id)
		dst = append(dst, ',')
	}
	dst = appendField(dst, "target", target)
	dst = append(dst, `,"arguments":[`...)
	for i, a := range arguments {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, a...)
	}
	return append(dst, ']', '}', Separator)
}

// AppendCompletion appends the answer to invocation id: its result verbatim, or
// nothing when result is nil.
func AppendCompletion(dst []byte, id string, result []byte) []byte {
	dst = appendField(append(dst, `{"type":3,`...), "invocationId", id)
	if result != nil {
		dst = append(append(dst, `,"result":`...), result...)
	}
	return append(dst, '}', Separator)
}

// AppendError appends the answer that invocation id has failed.
func AppendError(dst []byte, id, message string) []byte {
	dst = appendField(append(dst, `{"type":3,`...), "invocationId", id)
	dst = appendField(append(dst, ','), "error", message)
	return append(dst, '}', Separator)
}

// AppendPing appends a ping.
func AppendPing(dst []byte) []byte { return append(dst, `{"type":6}`+"\x1e"...) }

// AppendClose appends the frame that announces the end of the connection.
func AppendClose(dst []byte, message string, allowReconnect bool) []byte {
	dst = append(dst, `{"type":7`...)
	if message != "" {
		dst = appendField(append(dst, ','), "error", message)
	}
	if allowReconnect {
		dst = append(append(dst, `,"allowReconnect":`...), strconv.FormatBool(allowReconnect)...)
	}
	return append(dst, '}', Separator)
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, '"'), name...), '"', ':')
	quoted, _ := json.Marshal(value) // a string always encodes
	return append(dst, quoted...)
}
