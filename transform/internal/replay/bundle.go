package replay

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"ringstream/schemas/bus"
	"ringstream/transform/internal/call"
)

// ErrBundle means that a file is no bundle, or not a whole one.
var ErrBundle = errors.New("cannot be read as a bundle")

// What a bundle says of itself.
const (
	bundleFormat   = "ringstream-bundle"
	bundleVersion  = 1
	bundleContract = "1" // major version of the contract that its messages follow
)

// BundleHead is the first line of a bundle. A bundle is gzip of JSON, one value
// a line: the head, every [Record], and a [BundleEnd].
type BundleHead struct {
	Format     string      `json:"format"`
	Version    int         `json:"version"`
	Contract   string      `json:"contract"`
	By         string      `json:"by"` // program that wrote it
	At         time.Time   `json:"at"`
	Real       bool        `json:"real,omitempty"` // names, numbers and texts are those of people
	Partitions int         `json:"partitions"`
	Settings   BundleLimit `json:"settings"` // of the fold
	Call       string      `json:"call,omitempty"`
	Since      time.Time   `json:"since,omitzero"`
	Until      time.Time   `json:"until,omitzero"`
}

// BundleLimit are the settings that decide what the fold makes of RTE.
type BundleLimit struct {
	Ring   string `json:"RING_TIMEOUT"`
	Talk   string `json:"TALK_TIMEOUT"`
	Settle string `json:"SETTLE_TIMEOUT"`
	Memory string `json:"CLOSED_MEMORY"`
}

func bundleLimits(l call.Limits) BundleLimit {
	return BundleLimit{Ring: l.Ring.String(), Talk: l.Talk.String(), Settle: l.Settle.String(), Memory: l.Memory.String()}
}

// limits reads them.
func (b BundleLimit) limits() (l call.Limits, err error) {
	for _, p := range []struct {
		to   *time.Duration
		from string
	}{{&l.Ring, b.Ring}, {&l.Talk, b.Talk}, {&l.Settle, b.Settle}, {&l.Memory, b.Memory}} {
		var bad error
		*p.to, bad = time.ParseDuration(p.from)
		err = errors.Join(err, bad)
	}
	return l, err
}

// Record is one message of a stream. Its position and the time at which it was
// stored are those of where it was exported.
type Record struct {
	Stream  string              `json:"stream"`
	Seq     uint64              `json:"seq"`
	Stored  time.Time           `json:"stored"`
	Subject string              `json:"subject"`
	Header  map[string][]string `json:"header,omitempty"`
	Body    string              `json:"body,omitempty"`
	Bytes   []byte              `json:"bytes,omitempty"` // the body where it is no UTF-8
}

func recordOf(stream string, m bus.Message) Record {
	r := Record{Stream: stream, Seq: m.Seq, Stored: m.Stored, Subject: m.Subject, Header: m.Header}
	if utf8.Valid(m.Data) {
		r.Body = string(m.Data)
	} else {
		r.Bytes = m.Data
	}
	return r
}

// message is the record as it was read from its stream.
func (r Record) message() bus.Message {
	m := bus.Message{Subject: r.Subject, Header: r.Header, Data: r.Bytes, Seq: r.Seq, Stored: r.Stored}
	if r.Bytes == nil {
		m.Data = []byte(r.Body)
	}
	return m
}

// BundleEnd is the last line: without it a bundle was cut off.
type BundleEnd struct {
	Messages map[string]int `json:"messages"` // by stream
}

// bundleLine is any line behind the head.
type bundleLine struct {
	Record
	BundleEnd
}

// bundleWriter writes a file that takes its name when it is whole, and that only
// its owner can read.
type bundleWriter struct {
	path  string
	file  *os.File
	zip   *gzip.Writer
	lines *json.Encoder
	count map[string]int
}

func createBundle(path string, head BundleHead) (*bundleWriter, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	w := &bundleWriter{path: path, file: f, zip: gzip.NewWriter(f), count: map[string]int{}}
	w.lines = json.NewEncoder(w.zip)
	w.lines.SetEscapeHTML(false)
	if err := w.line(head); err != nil {
		w.drop()
		return nil, err
	}
	return w, nil
}

func (w *bundleWriter) line(v any) error {
	if err := w.lines.Encode(v); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

func (w *bundleWriter) write(r Record) error {
	w.count[r.Stream]++
	return w.line(r)
}

// finish ends the file and gives it its name.
func (w *bundleWriter) finish() error {
	err := w.line(BundleEnd{Messages: w.count})
	if err := errors.Join(err, w.zip.Close(), w.file.Sync(), w.file.Close()); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if err := os.Rename(w.file.Name(), w.path); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// drop removes what is not finished.
func (w *bundleWriter) drop() {
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

// readBundle reads a file from one end to the other. One that is not whole is an
// error, though its records have been handed over by then.
func readBundle(path string, head func(BundleHead) error, handle func(Record) error) error {
	f, err := os.Open(path) //nolint:gosec // the caller of the program names it
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrBundle, err)
	}
	lines := json.NewDecoder(zip)
	var h BundleHead
	if err := lines.Decode(&h); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrBundle, err)
	}
	if err := h.check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := head(h); err != nil {
		return err
	}
	count := map[string]int{}
	for {
		var l bundleLine
		if err := lines.Decode(&l); err != nil {
			return fmt.Errorf("%s: %w: it is cut off: %w", path, ErrBundle, noEOF(err))
		}
		if l.Messages != nil {
			return whole(path, count, l.Messages, lines)
		}
		count[l.Stream]++
		if err := handle(l.Record); err != nil {
			return err
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// whole compares what was read with what the end says, and reads the checksum.
func whole(path string, have, want map[string]int, lines *json.Decoder) error {
	for stream, n := range want {
		if have[stream] != n {
			return fmt.Errorf("%s: %w: it has %d messages of %s, not %d", path, ErrBundle, have[stream], stream, n)
		}
	}
	if err := lines.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w: more stands behind its end", path, ErrBundle)
	}
	return nil
}

func (h BundleHead) check() error {
	switch {
	case h.Format != bundleFormat:
		return fmt.Errorf("%w: it says to be %q", ErrBundle, h.Format)
	case h.Version != bundleVersion:
		return fmt.Errorf("%w: it has version %d, this program knows %d", ErrBundle, h.Version, bundleVersion)
	case h.Contract != bundleContract:
		return fmt.Errorf("%w: its messages follow contract %s, this program %s", ErrBundle, h.Contract, bundleContract)
	case h.Partitions < 1 || h.Partitions > maxPartitions:
		return fmt.Errorf("%w: it has %d partitions", ErrBundle, h.Partitions)
	}
	if _, err := h.Settings.limits(); err != nil {
		return fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return nil
}
