package bustest

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/archive"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
)

// Restore puts a stream that holds nothing yet back from a backup of these
// messages. So they have the positions and the stored times that they state,
// as no publisher could give them, and millions are there within a minute.
func (s *Server) Restore(js jetstream.JetStream, stream string, messages iter.Seq[bus.Message]) {
	s.tb.Helper()
	if err := s.restore(js, stream, messages); err != nil {
		s.tb.Fatalf("restore stream %s: %v", stream, err)
	}
}

func (s *Server) restore(js jetstream.JetStream, stream string, messages iter.Seq[bus.Message]) error {
	was, err := js.Stream(s.tb.Context(), stream)
	if err != nil {
		return err
	}
	text, err := json.Marshal(was.CachedInfo().Config)
	if err != nil {
		return err
	}
	var cfg server.StreamConfig
	if err := json.Unmarshal(text, &cfg); err != nil {
		return err
	}
	if err := js.DeleteStream(s.tb.Context(), stream); err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(backUp(w, messages)) }()
	_, err = s.ns.GlobalAccount().RestoreStreamV2(&cfg, r)
	_ = r.CloseWithError(io.ErrClosedPipe) // its writer ends, also when the server stopped reading
	return err
}

// backUp writes what the server reads when it restores a stream.
func backUp(w io.Writer, messages iter.Seq[bus.Message]) error {
	packed := s2.NewWriter(w)
	a := archive.NewWriter(packed)
	state, err := json.Marshal(server.StreamState{FirstSeq: 1})
	if err == nil {
		err = entry(a, archive.Header{Name: "state.json"}, nil, state)
	}
	for m := range messages {
		if err != nil {
			break
		}
		err = entry(a, archive.Header{Name: m.Subject, Sequence: m.Seq, Timestamp: m.Stored.UnixNano()}, wire(m.Header), m.Data)
	}
	if err == nil {
		err = entry(a, archive.Header{}, nil, nil) // nothing follows
	}
	if err != nil {
		return err
	}
	return packed.Close()
}

func entry(a *archive.Writer, h archive.Header, header, body []byte) error {
	h.HeaderSize, h.PayloadSize = int64(len(header)), int64(len(body))
	if err := a.WriteHeader(&h); err != nil {
		return err
	}
	for _, part := range [][]byte{header, body} {
		if _, err := a.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// wire is a header as NATS carries it; of none there is nothing.
func wire(header nats.Header) []byte {
	if len(header) == 0 {
		return nil
	}
	b := []byte("NATS/1.0\r\n")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			b = fmt.Appendf(b, "%s: %s\r\n", name, value)
		}
	}
	return append(b, "\r\n"...)
}
