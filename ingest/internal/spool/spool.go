package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// How much waits in memory: what the reader takes is read from there, and what
// the disk refuses is kept there.
const (
	memoryRecords = 4096
	memoryBytes   = 16 << 20
	refillRecords = 256
	refillBytes   = 1 << 20
)

// again is how long a blocked Push waits before it tries the disk again.
const again = 100 * time.Millisecond

var (
	// ErrInUse means that another process has the directory.
	ErrInUse = errors.New("spool directory is in use by another process")
	// ErrTooLarge means that a record can never be taken.
	ErrTooLarge = errors.New("record is too large for the spool")

	errFull    = errors.New("spool is full")
	errBlocked = errors.New("neither disk nor memory has room")
)

// Codec is how a T is written to disk and read from there. Append appends to
// dst, as the append of Go does. Read keeps data, and makes something of
// whatever it is given.
type Codec[T any] struct {
	Append func(dst []byte, v T) []byte
	Read   func(data []byte) T
}

// Spool is the queue. Its methods may be called concurrently.
type Spool[T any] struct {
	codec   Codec[T]
	mu      sync.Mutex
	files   files
	buffer  []byte // the record that was encoded last
	next    uint64 // number of the next record
	memory  []record[T]
	bytes   int         // on disk of what is in memory
	behind  bool        // the newest records are on disk only
	at      uint64      // newest record that is or was in memory
	taken   []uint64    // and not done
	wanted  int         // of the reader who waits, in memory; 0 while none does
	waiting int         // pushed and not done
	unsafe  []record[T] // of them those that are not on disk: the newest
	risked  int         // bytes of what is not on disk
	trouble error       // why the disk took nothing when last asked
	blocked time.Time

	pushed, room chan struct{}
}

type record[T any] struct {
	n     uint64
	value T
	size  int // on disk
}

// Found tells what Open found of an earlier process.
type Found struct {
	Records int   // that wait
	Torn    int64 // bytes of a record that was cut off
	Damaged []string
	Lost    int      // records that were damaged, about
	Strange []string // files that are no spool's
}

// State tells how the spool is doing.
type State struct {
	Waiting int       // records pushed and not done
	Unsafe  int       // of them in memory only
	Bytes   int64     // on disk
	Behind  bool      // the reader reads from disk
	Trouble error     // why the disk takes nothing; nil when it does
	Blocked time.Time // since when Push blocks; zero when it does not
}

// Open opens the queue in a directory, which it creates, for at most limit
// bytes on disk. Close must be called.
func Open[T any](dir string, limit int64, codec Codec[T]) (*Spool[T], Found, error) {
	f, left, found, err := openFiles(dir, limit)
	if err != nil {
		return nil, Found{}, fmt.Errorf("open spool: %w", err)
	}
	found.Records = left
	return &Spool[T]{
		codec: codec, files: f, next: f.newest() + 1, at: f.done, behind: left > 0, waiting: left,
		pushed: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}, found, nil
}

// Push puts a record at the end, which is on disk when Push returns unless
// State tells of trouble. It blocks while neither disk nor memory has room; the
// errors are that of ctx and [ErrTooLarge].
func (s *Spool[T]) Push(ctx context.Context, value T) error {
	for {
		switch err := s.push(value); {
		case err == nil:
			return nil
		case !errors.Is(err, errBlocked):
			return err
		}
		select {
		case <-s.room:
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *Spool[T]) push(value T) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.persist()
	r := record[T]{n: s.next, value: value}
	r.size = s.encode(r)
	if r.size > maxRecord {
		return ErrTooLarge
	}
	if s.trouble == nil {
		s.trouble = s.files.write(r.n, s.buffer)
	}
	if s.trouble != nil && !s.risk(r) {
		if s.blocked.IsZero() {
			s.blocked = time.Now()
		}
		return errBlocked
	}
	s.blocked = time.Time{}
	s.next++
	s.waiting++
	if !s.behind && len(s.memory) < memoryRecords && (len(s.memory) == 0 || s.bytes+r.size <= memoryBytes) {
		s.remember(r)
	} else {
		s.behind = true
	}
	if s.wanted > 0 && (s.behind || len(s.memory) >= s.wanted) {
		s.wanted = 0
		signal(s.pushed)
	}
	return nil
}

// encode leaves a record as it is on disk in the buffer, and returns its size.
func (s *Spool[T]) encode(r record[T]) int {
	if cap(s.buffer) > refillBytes {
		s.buffer = nil
	}
	s.buffer = s.codec.Append(append(s.buffer[:0], make([]byte, headerSize)...), r.value)
	writeHeader(s.buffer, r.n)
	return len(s.buffer)
}

// persist writes what is not on disk, in order: what follows a record that the
// disk refuses waits too, so that no hole can come of it.
func (s *Spool[T]) persist() {
	s.trouble = nil
	for len(s.unsafe) > 0 {
		s.encode(s.unsafe[0])
		if s.trouble = s.files.write(s.unsafe[0].n, s.buffer); s.trouble != nil {
			return
		}
		s.safe()
	}
}

// risk keeps in memory alone what the disk refuses, and reports false where
// that has no room.
func (s *Spool[T]) risk(r record[T]) bool {
	if n := len(s.unsafe); n >= memoryRecords || n > 0 && s.risked+r.size > memoryBytes {
		return false
	}
	s.unsafe = append(s.unsafe, r)
	s.risked += r.size
	return true
}

// safe strikes the oldest off what is not on disk.
func (s *Spool[T]) safe() {
	s.risked -= s.unsafe[0].size
	s.unsafe[0] = record[T]{}
	s.unsafe = s.unsafe[1:]
}

func (s *Spool[T]) remember(r record[T]) {
	s.memory = append(s.memory, r)
	s.bytes += r.size
	s.at = r.n
}

// Ready has a value once there are as many records as Take last wanted in vain.
func (s *Spool[T]) Ready() <-chan struct{} { return s.pushed }

// Take takes the oldest records that were not taken, at most so many, and none
// while there are fewer than least in memory and none behind. It does not end
// them: see Done. The error is one of the disk, after which the spool must be
// opened anew.
func (s *Spool[T]) Take(least, most int) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.memory) == 0 && s.behind {
		if err := s.refill(); err != nil {
			return nil, err
		}
	}
	if len(s.memory) < least && !s.behind {
		s.wanted = least
		return nil, nil
	}
	s.wanted = 0
	batch := s.memory[:min(most, len(s.memory))]
	all := make([]T, len(batch))
	for i, r := range batch {
		all[i] = r.value
		s.taken = append(s.taken, r.n)
		s.bytes -= r.size
	}
	clear(batch)
	s.memory = s.memory[len(batch):]
	signal(s.room)
	return all, nil
}

// refill reads the next records from disk, and then those that it refused.
func (s *Spool[T]) refill() error {
	for s.behind && len(s.memory) < refillRecords && s.bytes < refillBytes {
		n, data, err := s.files.read(s.at)
		switch {
		case err == nil:
			s.remember(record[T]{n: n, value: s.codec.Read(data), size: headerSize + len(data)})
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("read spool: %w", err)
		default:
			i := slices.IndexFunc(s.unsafe, func(r record[T]) bool { return r.n > s.at })
			if s.behind = i >= 0; s.behind {
				s.remember(s.unsafe[i])
			}
		}
	}
	return nil
}

// Done ends the n oldest records that were taken: they will not come again.
func (s *Spool[T]) Done(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.taken[n-1]
	s.taken = s.taken[n:]
	s.files.finish(last)
	s.waiting -= n
	for len(s.unsafe) > 0 && s.unsafe[0].n <= last {
		s.safe()
	}
	signal(s.room)
}

// State tells how the spool is doing.
func (s *Spool[T]) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gone := s.files.gone(); gone != nil && s.trouble == nil {
		s.trouble = gone
	}
	return State{
		Waiting: s.waiting, Unsafe: len(s.unsafe), Bytes: s.files.bytes(), Behind: s.behind, Trouble: s.trouble, Blocked: s.blocked,
	}
}

// Waiting is how many records were pushed and are not done.
func (s *Spool[T]) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// Close gives the directory back. What is not done waits there for the next
// Open, but for what the disk refuses to the last: its number is returned.
func (s *Spool[T]) Close() (lost int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.persist()
	return len(s.unsafe), s.files.close()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
