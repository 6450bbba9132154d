package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

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
	cursor  *os.File // nil while the disk takes none
	done    uint64
	list    []*segment
	create  func(path string) (segmentFile, error)
	tail    segmentFile // of the last segment; nil when a new one is due
	total   int64
	reading *os.File
	from    *segment // that reading is of
	offset  int64    // of the next record in it
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
	f.lock = flock.New(dir, flock.SetFlag(os.O_RDONLY)) // the directory itself: a full disk takes no file
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
	f.openCursor()
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
func (f *files) openCursor() {
	b, err := os.ReadFile(f.cursorPath())
	if err == nil && len(b) == cursorSize && crc32.Checksum(b[:8], castagnoli) == binary.BigEndian.Uint32(b[8:]) {
		f.done = binary.BigEndian.Uint64(b)
	}
	f.saveCursor()
}

const cursorSize = 12

func (f *files) cursorPath() string { return filepath.Join(f.dir, "cursor") }

// saveCursor writes which record was done last. A disk that does not take it
// lets records come again, and they are known by their ids.
func (f *files) saveCursor() {
	if f.cursor == nil {
		file, err := os.OpenFile(f.cursorPath(), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return
		}
		f.cursor = file
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorSize), f.done)
	_, _ = f.cursor.WriteAt(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), 0)
}

func (f *files) newest() uint64 {
	newest := f.done
	if len(f.list) > 0 {
		newest = max(newest, f.list[len(f.list)-1].last)
	}
	return newest
}

func (f *files) bytes() int64 { return f.total }

// gone reports that the file that is written to was deleted under way.
func (f *files) gone() error {
	if f.tail == nil {
		return nil
	}
	_, err := os.Stat(f.list[len(f.list)-1].path)
	return err
}

// write appends record n, or leaves everything as it was.
func (f *files) write(n uint64, record []byte) error {
	length := int64(len(record))
	if f.total+length > f.limit {
		if f.tail != nil {
			f.seal()
		}
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
	if _, err := f.tail.WriteAt(record, s.size); err != nil {
		_ = f.tail.Truncate(s.size) // whether or not: nobody reads beyond size
		f.seal()
		return err
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
		got, data, err := f.readNext()
		if errors.Is(err, io.EOF) {
			err = errTorn
		}
		if err != nil {
			return 0, nil, fmt.Errorf("%s at byte %d: %w", f.from.path, f.offset, err)
		}
		f.offset += headerSize + int64(len(data))
		if got > n {
			return got, data, nil
		}
	}
}

func (f *files) readNext() (uint64, []byte, error) {
	start := make([]byte, headerSize)
	if _, err := f.reading.ReadAt(start, f.offset); err != nil {
		return 0, nil, err
	}
	h, err := readHeader(start)
	if err != nil {
		return 0, nil, err
	}
	if int64(headerSize+h.length) > f.from.size-f.offset {
		return 0, nil, errTorn
	}
	whole := append(start, make([]byte, h.length)...)
	if _, err := f.reading.ReadAt(whole[headerSize:], f.offset+headerSize); err != nil {
		return 0, nil, err
	}
	n, data, _, err := cutRecord(whole)
	return n, data, err
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
	f.saveCursor()
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
