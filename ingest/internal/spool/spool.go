package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// How much waits in memory: what the reader takes is read from there, and what
// the disk refuses is kept there.
const (
	memoryRecords = 8192
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

	errFull = errors.New("spool is full")
)

// Spool is the queue. Its methods may be called concurrently.
type Spool struct {
	mu      sync.Mutex
	files   files
	next    uint64 // number of the next record
	memory  []record
	bytes   int      // of what is in memory
	behind  bool     // the newest records are on disk only
	at      uint64   // newest record that is or was in memory
	taken   []record // and not done; without data
	waiting int      // pushed and not done
	unsafe  int      // of them in memory only
	trouble error    // why the newest record was not written
	blocked time.Time

	pushed, room chan struct{}
}

type record struct {
	n    uint64
	data []byte
	kept bool // on disk
}

// Found tells what Open found of an earlier process.
type Found struct {
	Records int   // that wait
	Torn    int64 // bytes of a record that was cut off
	Damaged []string
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
func Open(dir string, limit int64) (*Spool, Found, error) {
	f, left, found, err := openFiles(dir, limit)
	if err != nil {
		return nil, Found{}, fmt.Errorf("open spool: %w", err)
	}
	found.Records = left
	return &Spool{
		files: f, next: f.newest() + 1, at: f.done, behind: left > 0, waiting: left,
		pushed: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}, found, nil
}

// Push puts a record at the end, which is on disk when Push returns unless
// State tells of trouble. It blocks while neither disk nor memory has room; the
// errors are that of ctx and [ErrTooLarge].
func (s *Spool) Push(ctx context.Context, data []byte) error {
	if len(data) > maxRecord {
		return ErrTooLarge
	}
	for !s.push(data) {
		select {
		case <-s.room:
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	signal(s.pushed)
	return nil
}

func (s *Spool) push(data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = s.files.write(s.next, data)
	fits := !s.behind && len(s.memory) < memoryRecords && (len(s.memory) == 0 || s.bytes+len(data) <= memoryBytes)
	switch {
	case fits:
		s.remember(record{n: s.next, data: data, kept: s.trouble == nil})
	case s.trouble == nil:
		s.behind = true
	default:
		if s.blocked.IsZero() {
			s.blocked = time.Now()
		}
		return false
	}
	if s.trouble != nil {
		s.unsafe++
	}
	s.blocked = time.Time{}
	s.next++
	s.waiting++
	return true
}

func (s *Spool) remember(r record) {
	s.memory = append(s.memory, r)
	s.bytes += len(r.data)
	s.at = r.n
}

// Next takes the oldest record that was not taken, and blocks while there is
// none. It does not end the record: see Done. The errors are that of ctx, and
// one of the disk, after which the spool must be opened anew.
func (s *Spool) Next(ctx context.Context) ([]byte, error) {
	for {
		data, ok, err := s.take()
		if ok || err != nil {
			return data, err
		}
		select {
		case <-s.pushed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Spool) take() (data []byte, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.memory) == 0 && s.behind {
		if err := s.refill(); err != nil {
			return nil, false, err
		}
	}
	if len(s.memory) == 0 {
		return nil, false, nil
	}
	r := s.memory[0]
	s.memory[0] = record{}
	s.memory = s.memory[1:]
	s.bytes -= len(r.data)
	s.taken = append(s.taken, record{n: r.n, kept: r.kept})
	signal(s.room)
	return r.data, true, nil
}

// refill reads the next records from disk.
func (s *Spool) refill() error {
	for s.behind && len(s.memory) < refillRecords && s.bytes < refillBytes {
		n, data, err := s.files.read(s.at)
		switch {
		case errors.Is(err, io.EOF):
			s.behind = false
		case err != nil:
			return fmt.Errorf("read spool: %w", err)
		default:
			s.remember(record{n: n, data: data, kept: true})
		}
	}
	return nil
}

// Done ends the oldest record that was taken: it will not come again.
func (s *Spool) Done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.taken[0]
	s.taken = s.taken[1:]
	s.files.finish(r.n)
	if s.waiting--; !r.kept {
		s.unsafe--
	}
	signal(s.room)
}

// State tells how the spool is doing.
func (s *Spool) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{
		Waiting: s.waiting, Unsafe: s.unsafe, Bytes: s.files.bytes(), Behind: s.behind, Trouble: s.trouble, Blocked: s.blocked,
	}
}

// Close gives the directory back. What is not done waits there for the next Open.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files.close()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
