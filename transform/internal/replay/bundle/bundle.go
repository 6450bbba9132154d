// Package bundle is a file that holds one call or a span of all streams, to be
// taken elsewhere, with everybody's names, numbers and ids replaced by aliases
// under which all of it folds to the same call events.
//
// It refuses what it cannot read to the end. The caller owes it the messages in
// the order of their streams.
package bundle

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

// Sentinels of the package.
var (
	// ErrUnreadable means that a file is no bundle, or not a whole one.
	ErrUnreadable = errors.New("cannot be read as a bundle")

	errNotRegular = errors.New("is no regular file")
)

// What a bundle says of itself.
const (
	Format   = "ringstream-bundle"
	Version  = 1
	Contract = "1" // major version of the contract that its messages follow
)

// Head is the first line of a bundle. A bundle is gzip of JSON, one value
// a line: the head, every [Record], and a [End].
type Head struct {
	Format     string    `json:"format"`
	Version    int       `json:"version"`
	Contract   string    `json:"contract"`
	By         string    `json:"by"` // program that wrote it
	At         time.Time `json:"at"`
	Real       bool      `json:"real,omitempty"` // names, numbers and texts are those of people
	Partitions int       `json:"partitions"`
	Settings   Settings  `json:"settings"` // of the fold
	Call       string    `json:"call,omitempty"`
	Since      time.Time `json:"since,omitzero"`
	Until      time.Time `json:"until,omitzero"`
}

// Settings are the settings that decide what the fold makes of RTE.
type Settings struct {
	Ring   string `json:"RING_TIMEOUT"`
	Talk   string `json:"TALK_TIMEOUT"`
	Settle string `json:"SETTLE_TIMEOUT"`
	Memory string `json:"CLOSED_MEMORY"`
}

// SettingsOf writes them down.
func SettingsOf(l call.Limits) Settings {
	return Settings{Ring: l.Ring.String(), Talk: l.Talk.String(), Settle: l.Settle.String(), Memory: l.Memory.String()}
}

// Limits reads them, and refuses those that transform refuses.
func (b Settings) Limits() (l call.Limits, err error) {
	for _, p := range []struct {
		to   *time.Duration
		from string
	}{{&l.Ring, b.Ring}, {&l.Talk, b.Talk}, {&l.Settle, b.Settle}, {&l.Memory, b.Memory}} {
		var bad error
		*p.to, bad = time.ParseDuration(p.from)
		err = errors.Join(err, bad)
	}
	if err != nil {
		return l, err
	}
	bad := l.Invalid()
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		err = errors.Join(err, fmt.Errorf("%s %s", name, bad[name]))
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

// RecordOf is what a bundle has of a message.
func RecordOf(stream string, m bus.Message) Record {
	r := Record{Stream: stream, Seq: m.Seq, Stored: m.Stored, Subject: m.Subject, Header: m.Header}
	if utf8.Valid(m.Data) {
		r.Body = string(m.Data)
	} else {
		r.Bytes = m.Data
	}
	return r
}

// Message is the record as it was read from its stream.
func (r Record) Message() bus.Message {
	m := bus.Message{Subject: r.Subject, Header: r.Header, Data: r.Bytes, Seq: r.Seq, Stored: r.Stored}
	if r.Bytes == nil {
		m.Data = []byte(r.Body)
	}
	return m
}

// End is the last line: without it a bundle was cut off.
type End struct {
	Messages map[string]int `json:"messages"` // by stream
}

// bundleLine is any line behind the head.
type bundleLine struct {
	Record
	End
}

// Writer writes a file that takes its name when it is whole, and that only
// its owner can read.
type Writer struct {
	path  string
	file  *os.File
	zip   *gzip.Writer
	lines *json.Encoder
	Count map[string]int
}

// Create begins a bundle in a file beside path, which Finish puts in its place.
func Create(path string, head Head) (*Writer, error) {
	path, err := replaceable(path)
	if err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	w := &Writer{path: path, file: f, zip: gzip.NewWriter(f), Count: map[string]int{}}
	w.lines = json.NewEncoder(w.zip)
	w.lines.SetEscapeHTML(false)
	if err := w.line(head); err != nil {
		w.Drop()
		return nil, err
	}
	return w, nil
}

// replaceable is the file that a path leads to. A pipe, a terminal or a device
// has no other put in its place.
func replaceable(path string) (string, error) {
	is, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	case !is.Mode().IsRegular():
		return "", fmt.Errorf("%s: %w", path, errNotRegular)
	}
	return filepath.EvalSymlinks(path)
}

func (w *Writer) line(v any) error {
	if err := w.lines.Encode(v); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// Write adds a message.
func (w *Writer) Write(r Record) error {
	w.Count[r.Stream]++
	return w.line(r)
}

// Finish ends the file and gives it its name.
func (w *Writer) Finish() error {
	if err := w.line(End{Messages: w.Count}); err != nil {
		return err
	}
	for _, end := range []func() error{w.zip.Close, w.file.Sync, w.file.Close} {
		if err := end(); err != nil { // what follows would only say it again
			return fmt.Errorf("write bundle: %w", err)
		}
	}
	if err := os.Rename(w.file.Name(), w.path); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// Drop removes what is not finished.
func (w *Writer) Drop() {
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

// Read reads a file from one end to the other. One that is not whole is an
// error, though its records have been handed over by then.
func Read(path string, head func(Head) error, handle func(Record) error) error {
	f, err := os.Open(path) //nolint:gosec // the caller of the program names it
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	defer f.Close()
	err = read(f, head, handle)
	if errors.Is(err, ErrUnreadable) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// longest is more than a server takes as one message, however it is written
// down. A file that unpacks to more without an end of line is no bundle.
const longest = 64 << 20

func read(r io.Reader, head func(Head) error, handle func(Record) error) error {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return unreadable(err)
	}
	lines := bufio.NewReader(zip)
	var h Head
	if err := next(lines, &h); err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	if err := head(h); err != nil {
		return err
	}
	s := seen{count: map[string]int{}, last: map[string]uint64{}}
	for {
		var l bundleLine
		if err := next(lines, &l); err != nil {
			return err
		}
		if l.Messages != nil {
			return errors.Join(s.whole(l.Messages), ended(lines))
		}
		if err := s.add(l.Record); err != nil {
			return err
		}
		if err := handle(l.Record); err != nil {
			return err
		}
	}
}

// next reads a line.
func next(lines *bufio.Reader, into any) error {
	var line []byte
	for {
		part, err := lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > longest:
			return unreadable(fmt.Errorf("it has a line of more than %d bytes", longest))
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return unreadable(err)
		}
		if err := json.Unmarshal(line, into); err != nil {
			return unreadable(err)
		}
		return nil
	}
}

// ended finds the end of the file, and by that its checksum right.
func ended(lines *bufio.Reader) error {
	_, err := lines.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("%w: more stands behind its end", ErrUnreadable)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return unreadable(err)
	}
}

func unreadable(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it is cut off", ErrUnreadable)
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

// seen is what was read of each stream.
type seen struct {
	count map[string]int
	last  map[string]uint64
}

func (s seen) add(r Record) error {
	if r.Seq <= s.last[r.Stream] {
		return fmt.Errorf("%w: message %d of %s stands behind message %d", ErrUnreadable, r.Seq, r.Stream, s.last[r.Stream])
	}
	s.last[r.Stream] = r.Seq
	s.count[r.Stream]++
	return nil
}

// whole compares what was read with what the end says.
func (s seen) whole(want map[string]int) error {
	all := maps.Clone(want)
	maps.Copy(all, s.count)
	for _, stream := range slices.Sorted(maps.Keys(all)) {
		if s.count[stream] != want[stream] {
			return fmt.Errorf("%w: it has %d messages of %s, not %d", ErrUnreadable, s.count[stream], stream, want[stream])
		}
	}
	return nil
}

func (h Head) check() error {
	switch {
	case h.Format != Format:
		return fmt.Errorf("%w: it says to be %q", ErrUnreadable, h.Format)
	case h.Version != Version:
		return fmt.Errorf("%w: it has version %d, this program knows %d", ErrUnreadable, h.Version, Version)
	case h.Contract != Contract:
		return fmt.Errorf("%w: its messages follow contract %s, this program %s", ErrUnreadable, h.Contract, Contract)
	case h.Partitions < 1 || h.Partitions > topology.MaxPartitions:
		return fmt.Errorf("%w: it has %d partitions", ErrUnreadable, h.Partitions)
	}
	if _, err := h.Settings.Limits(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return nil
}
