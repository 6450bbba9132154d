package app

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/spool"
	"ringstream/schemas/bus"
	"ringstream/schemas/telemetry"
)

// packing is the version of how a message is written to the spool. One that
// another version wrote is a dead letter.
const packing = 1

var errPacked = errors.New("packed message")

// packer is how the spool writes messages. What it reads there and is none
// becomes a dead letter.
func packer(counts *metrics, log *slog.Logger) spool.Codec[bus.Outgoing] {
	return spool.Codec[bus.Outgoing]{
		Append: pack,
		Read: func(packed []byte) bus.Outgoing {
			m, err := unpack(packed)
			if err != nil {
				log.Error("the spool has something that is no message, kept as a dead letter", telemetry.Error, err, "bytes", len(packed))
				counts.letters.WithLabelValues(feed.NotReadable).Inc()
				return feed.Unreadable(packed, err)
			}
			return m
		},
	}
}

// pack appends a message as the spool keeps it: the version, then the time of
// arrival, key, subject, headers and body, each text behind its length.
func pack(b []byte, m bus.Outgoing) []byte {
	b = append(b, packing)
	b = binary.AppendVarint(b, m.Arrived.UnixNano())
	b = appendText(appendText(b, m.Key), m.Subject)
	b = binary.AppendUvarint(b, uint64(len(m.Header)))
	for name, values := range m.Header {
		b = binary.AppendUvarint(appendText(b, name), uint64(len(values)))
		for _, v := range values {
			b = appendText(b, v)
		}
	}
	return append(b, m.Data...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func unpack(b []byte) (bus.Outgoing, error) {
	if len(b) == 0 || b[0] != packing {
		return bus.Outgoing{}, fmt.Errorf("%w of another version", errPacked)
	}
	u := unpacker{rest: b[1:], text: string(b[1:])}
	m := bus.Outgoing{Arrived: time.Unix(0, u.varint()).UTC(), Key: u.string(), Subject: u.string()}
	names := u.count()
	m.Header = make(nats.Header, min(names, 64))
	values := make([]string, 0, min(names, 64))
	for range names {
		name, first := u.string(), len(values)
		for range u.count() {
			values = append(values, u.string())
		}
		m.Header[name] = values[first:len(values):len(values)]
	}
	m.Data = u.rest
	return m, u.err
}

// unpacker reads what is left until something is wrong. The strings that it
// returns share one copy: there are thirty in a message.
type unpacker struct {
	rest []byte
	text string // ends as rest does
	err  error
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	u.skip(n)
	return v
}

// count reads how many things follow: never more than there are bytes.
func (u *unpacker) count() int {
	v, n := binary.Uvarint(u.rest)
	u.skip(n)
	if v > uint64(len(u.rest)) {
		u.skip(-1)
		return 0
	}
	return int(v) //nolint:gosec // just compared
}

func (u *unpacker) string() string {
	n := u.count()
	from := len(u.text) - len(u.rest)
	u.rest = u.rest[n:]
	return u.text[from : from+n]
}

func (u *unpacker) skip(n int) {
	if n <= 0 {
		u.rest, u.err = nil, fmt.Errorf("%w is cut off", errPacked)
		return
	}
	u.rest = u.rest[n:]
}
