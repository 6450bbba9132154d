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
	taken   []uint64 // and not done
	wanted  int      // of the reader who waits, in memory; 0 while none does
	waiting int      // pushed and not done
	unsafe  []record // of them those that are not on disk: the newest, whole
	risk    int      // bytes of what is not on disk
	trouble error    // why the disk took nothing when last asked
	blocked time.Time

	pushed, room chan struct{}
}

type record struct {
	n    uint64
	data []byte
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
	return nil
}

func (s *Spool) push(data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := record{n: s.next, data: data}
	s.unsafe = append(s.unsafe, r)
	s.risk += len(data)
	s.persist()
	if n := len(s.unsafe); n > memoryRecords || n > 1 && s.risk > memoryBytes {
		s.unsafe = s.unsafe[:n-1]
		s.risk -= len(data)
		if s.blocked.IsZero() {
			s.blocked = time.Now()
		}
		return false
	}
	if !s.behind && len(s.memory) < memoryRecords && (len(s.memory) == 0 || s.bytes+len(data) <= memoryBytes) {
		s.remember(r)
	} else {
		s.behind = true
	}
	s.blocked = time.Time{}
	s.next++
	s.waiting++
	if s.wanted > 0 && (s.behind || len(s.memory) >= s.wanted) {
		s.wanted = 0
		signal(s.pushed)
	}
	return true
}

// persist writes what is not on disk, in order: what follows a record that the
// disk refuses waits too, so that no hole can come of it.
func (s *Spool) persist() {
	s.trouble = nil
	for len(s.unsafe) > 0 {
		if s.trouble = s.files.write(s.unsafe[0].n, s.unsafe[0].data); s.trouble != nil {
			return
		}
		s.safe()
	}
}

// safe strikes the oldest off what is not on disk.
func (s *Spool) safe() {
	s.risk -= len(s.unsafe[0].data)
	s.unsafe[0] = record{}
	s.unsafe = s.unsafe[1:]
}

func (s *Spool) remember(r record) {
	s.memory = append(s.memory, r)
	s.bytes += len(r.data)
	s.at = r.n
}

// Ready has a value once there are as many records as Take last wanted in vain.
func (s *Spool) Ready() <-chan struct{} { return s.pushed }

// Take takes the oldest records that were not taken, at most so many, and none
// while there are fewer than least in memory and none behind. It does not end
// them: see Done. The error is one of the disk, after which the spool must be
// opened anew.
func (s *Spool) Take(least, most int) ([][]byte, error) {
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
	all := make([][]byte, len(batch))
	for i, r := range batch {
		all[i] = r.data
		s.taken = append(s.taken, r.n)
		s.bytes -= len(r.data)
	}
	clear(batch)
	s.memory = s.memory[len(batch):]
	signal(s.room)
	return all, nil
}

// refill reads the next records from disk, and then those that it refused.
func (s *Spool) refill() error {
	for s.behind && len(s.memory) < refillRecords && s.bytes < refillBytes {
		n, data, err := s.files.read(s.at)
		switch {
		case err == nil:
			s.remember(record{n: n, data: data})
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("read spool: %w", err)
		default:
			i := slices.IndexFunc(s.unsafe, func(r record) bool { return r.n > s.at })
			if s.behind = i >= 0; s.behind {
				s.remember(s.unsafe[i])
			}
		}
	}
	return nil
}

// Done ends the n oldest records that were taken: they will not come again.
func (s *Spool) Done(n int) {
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
func (s *Spool) State() State {
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
func (s *Spool) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// Close gives the directory back. What is not done waits there for the next
// Open, but for what the disk refuses to the last: its number is returned.
func (s *Spool) Close() (lost int, err error) {
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
