package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

const (
	largestSegment  = 8 << 20
	smallestSegment = 64 << 10
	suffix          = ".spool"
	damagedSuffix   = ".damaged"
)

// files is the directory: segments of consecutive records, oldest first, of
// which the last is written to, and a cursor that tells which record was the
// last to be done.
type files struct {
	dir     string
	limit   int64
	size    int64 // from which on a segment is full
	lock    *flock.Flock
	cursor  *os.File
	done    uint64
	list    []*segment
	create  func(path string) (segmentFile, error)
	tail    segmentFile // of the last segment; nil when a new one is due
	total   int64
	reading *os.File
	from    *segment // that reading is of
	offset  int64    // of the next record in it
	buffer  []byte
}

// segmentFile is what a segment is written to.
type segmentFile interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
}

func create(path string) (segmentFile, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // a segment of ours
}

// segment is one file. What lies beyond its size is no record.
type segment struct {
	path        string
	first, last uint64
	size        int64
}

func openFiles(dir string, limit int64) (f files, left int, found Found, err error) {
	f = files{dir: dir, limit: limit, size: min(max(limit/16, smallestSegment), largestSegment), create: create}
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the operator says where
		return f, 0, found, err
	}
	f.lock = flock.New(filepath.Join(dir, "lock"))
	switch free, err := f.lock.TryLock(); {
	case err != nil:
		return f, 0, found, err
	case !free:
		return f, 0, found, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if err := f.openCursor(); err != nil {
		return f, 0, found, err
	}
	left, err = f.scan(&found)
	return f, left, found, err
}

// Check reports why a directory cannot be a spool, also while a process uses it as one.
func Check(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, "check")
	if err != nil {
		return err
	}
	_, err = probe.Write(make([]byte, smallestSegment))
	return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}

// openCursor reads which record was done last. One that cannot be read is as
// none: records come again.
func (f *files) openCursor() (err error) {
	if f.cursor, err = os.OpenFile(filepath.Join(f.dir, "cursor"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	var b [12]byte
	if _, err := f.cursor.ReadAt(b[:], 0); err == nil && crc32.Checksum(b[:8], castagnoli) == binary.BigEndian.Uint32(b[8:]) {
		f.done = binary.BigEndian.Uint64(b[:])
	}
	return f.saveCursor()
}

func (f *files) saveCursor() error {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], f.done)
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	_, err := f.cursor.WriteAt(b[:], 0)
	return err
}

// scan reads every segment and counts the records that are not done.
func (f *files) scan(found *Found) (left int, err error) {
	paths, err := filepath.Glob(filepath.Join(f.dir, "*"+suffix))
	if err != nil {
		return 0, err
	}
	slices.Sort(paths) // names are numbers of one length
	for _, path := range paths {
		s, n, err := f.check(path, found)
		switch {
		case err != nil:
			return 0, err
		case s.last <= f.done:
			if err := os.Remove(path); err != nil {
				return 0, err
			}
		default:
			f.list = append(f.list, s)
			f.total += s.size
			left += n
		}
	}
	return left, nil
}

// check reads one segment, cuts off what is no record, and counts what is not done.
func (f *files) check(path string, found *Found) (*segment, int, error) {
	s := &segment{path: path}
	first, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), suffix), 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("%s is no file of a spool: %w", path, err)
	}
	s.first = first
	file, err := os.Open(path) //nolint:gosec // a segment of ours
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	in, left := bufio.NewReaderSize(file, 1<<20), 0
	for {
		n, data, err := readRecord(in)
		if err == nil && n <= s.last {
			err = errChanged
		}
		switch {
		case errors.Is(err, io.EOF):
			return s, left, nil
		case errors.Is(err, errTorn), errors.Is(err, errChanged):
			return s, left, cut(s, file, errors.Is(err, errTorn), found)
		case err != nil:
			return nil, 0, err
		}
		s.last = n
		s.size += headerSize + int64(len(data))
		if n > f.done {
			left++
		}
	}
}

// cut ends a segment where its records end. What is damaged is kept for people.
func cut(s *segment, file *os.File, torn bool, found *Found) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if torn {
		found.Torn += info.Size() - s.size
		return os.Truncate(s.path, s.size)
	}
	kept := s.path + damagedSuffix
	if err := os.Rename(s.path, kept); err != nil {
		return err
	}
	found.Damaged = append(found.Damaged, kept)
	good, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(good, io.NewSectionReader(file, 0, s.size))
	return errors.Join(err, good.Close())
}

func (f *files) newest() uint64 {
	newest := f.done
	if len(f.list) > 0 {
		newest = max(newest, f.list[len(f.list)-1].last)
	}
	return newest
}

func (f *files) bytes() int64 { return f.total }

// write appends a record, or leaves everything as it was.
func (f *files) write(n uint64, data []byte) error {
	length := headerSize + int64(len(data))
	if f.total+length > f.limit {
		return fmt.Errorf("%w: %d bytes of %d", errFull, f.total, f.limit)
	}
	if f.tail != nil && f.list[len(f.list)-1].size >= f.size {
		f.seal()
	}
	if f.tail == nil {
		if err := f.begin(n); err != nil {
			return err
		}
	}
	s := f.list[len(f.list)-1]
	f.buffer = appendRecord(f.buffer[:0], n, data)
	if _, err := f.tail.WriteAt(f.buffer, s.size); err != nil {
		_ = f.tail.Truncate(s.size) // whether or not: nobody reads beyond size
		f.seal()
		return err
	}
	if cap(f.buffer) > refillBytes {
		f.buffer = nil
	}
	s.last = n
	s.size += length
	f.total += length
	return nil
}

func (f *files) begin(n uint64) error {
	path := filepath.Join(f.dir, fmt.Sprintf("%020d%s", n, suffix))
	file, err := f.create(path)
	if err != nil {
		return err
	}
	f.tail = file
	f.list = append(f.list, &segment{path: path, first: n})
	return nil
}

// seal ends the last segment. One without a record goes.
func (f *files) seal() {
	_ = f.tail.Close()
	f.tail = nil
	if s := f.list[len(f.list)-1]; s.size == 0 {
		f.list = f.list[:len(f.list)-1]
		_ = os.Remove(s.path) //nolint:gosec // a segment of ours
	}
}

// read returns the first record behind number n, or io.EOF.
func (f *files) read(n uint64) (uint64, []byte, error) {
	for {
		if err := f.seek(n); err != nil {
			return 0, nil, err
		}
		got, data, err := readRecord(io.NewSectionReader(f.reading, f.offset, f.from.size-f.offset))
		if err != nil {
			return 0, nil, fmt.Errorf("%s at byte %d: %w", f.from.path, f.offset, notEOF(err))
		}
		f.offset += headerSize + int64(len(data))
		if got > n {
			return got, data, nil
		}
	}
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errTorn
	}
	return err
}

// seek opens the segment that has the record behind number n, unless it is open.
func (f *files) seek(n uint64) error {
	if f.from != nil && f.from.last > n {
		return nil
	}
	for _, s := range f.list {
		if s.last <= n {
			continue
		}
		file, err := os.Open(s.path)
		if err != nil {
			return err
		}
		f.stopReading()
		f.reading, f.from = file, s
		return nil
	}
	return io.EOF
}

func (f *files) stopReading() {
	if f.reading != nil {
		_ = f.reading.Close()
	}
	f.reading, f.from, f.offset = nil, nil, 0
}

// finish marks a record and all before it as done, and deletes what is of no
// more use.
func (f *files) finish(n uint64) {
	f.done = n
	_ = f.saveCursor() // records come again then, and are known by their ids
	for len(f.list) > 0 && f.list[0].last <= n {
		s := f.list[0]
		if len(f.list) == 1 && f.tail != nil {
			if s.size < f.size {
				return // it is written to
			}
			f.seal()
		}
		if s == f.from {
			f.stopReading()
		}
		f.total -= s.size
		f.list = f.list[1:]
		_ = os.Remove(s.path)
	}
}

func (f *files) close() error {
	f.stopReading()
	var err error
	if f.tail != nil {
		err = f.tail.Close()
	}
	if f.cursor != nil {
		err = errors.Join(err, f.cursor.Close())
	}
	return errors.Join(err, f.lock.Close())
}
