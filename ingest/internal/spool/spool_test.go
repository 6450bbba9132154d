package spool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// asPusher makes the test binary a program that pushes, so that a test can kill it.
const asPusher = "SPOOL_TEST_PUSHES_INTO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asPusher); dir != "" {
		pushForever(dir)
	}
	goleak.VerifyTestMain(m)
}

const roomy = 64 << 20

var verbatim = Codec[[]byte]{
	Append: func(dst, b []byte) []byte { return append(dst, b...) },
	Read:   func(b []byte) []byte { return b },
}

func open(t testing.TB, dir string, limit int64) (*Spool[[]byte], Found) {
	t.Helper()
	s, found, err := Open(dir, limit, verbatim)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close() })
	return s, found
}

func shut(t testing.TB, s *Spool[[]byte]) {
	t.Helper()
	if lost, err := s.Close(); err != nil || lost > 0 {
		t.Fatal(lost, err)
	}
}

func push(t testing.TB, s *Spool[[]byte], text string) {
	t.Helper()
	if err := s.Push(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// next takes one record, which is there.
func next(t testing.TB, s *Spool[[]byte]) string {
	t.Helper()
	batch, err := s.Take(1, 1)
	if err != nil || len(batch) != 1 {
		t.Fatalf("took %d records (%v), want one", len(batch), err)
	}
	return string(batch[0])
}

// drain takes and ends everything that is there.
func drain(t testing.TB, s *Spool[[]byte]) (got []string) {
	t.Helper()
	for s.State().Waiting > 0 {
		batch, err := s.Take(1, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range batch {
			got = append(got, string(data))
		}
		s.Done(len(batch))
	}
	return got
}

func expect(t testing.TB, got []string, first, last int) {
	t.Helper()
	if len(got) != last-first+1 {
		t.Fatalf("%d records, want %d to %d", len(got), first, last)
	}
	for i, text := range got {
		if want := numbered(first + i); text != want {
			t.Fatalf("record %d is %.40q, want %.40q", i, text, want)
		}
	}
}

// numbered is a record of some length.
func numbered(n int) string { return fmt.Sprintf("%d %s", n, strings.Repeat("x", n%3000)) }

func TestEverythingComesInOrderHoweverFarBehind(t *testing.T) {
	const records = 3 * memoryRecords
	s, _ := open(t, t.TempDir(), roomy)
	for n := 1; n <= records; n++ {
		push(t, s, numbered(n))
	}
	if state := s.State(); !state.Behind || state.Waiting != records || s.bytes > memoryBytes || len(s.memory) > memoryRecords {
		t.Fatalf("state %+v, %d bytes and %d records in memory", state, s.bytes, len(s.memory))
	}
	expect(t, drain(t, s), 1, records)
	push(t, s, "more")
	if got := drain(t, s); len(got) != 1 || s.State().Behind {
		t.Fatalf("then %q, %+v", got, s.State())
	}
	if n := s.State().Bytes; n > largestSegment+(1<<20) {
		t.Errorf("an empty spool takes %d bytes", n)
	}
}

func TestReaderIsWokenForWhatItWants(t *testing.T) {
	s, _ := open(t, t.TempDir(), roomy)
	woken := func() bool {
		select {
		case <-s.Ready():
			return true
		default:
			return false
		}
	}
	for n := 1; n <= 5; n++ {
		if batch, err := s.Take(5, 5); err != nil || len(batch) != 0 || woken() {
			t.Fatalf("took %d of %d records (%v)", len(batch), n-1, err)
		}
		push(t, s, numbered(n))
	}
	if !woken() {
		t.Fatal("not woken with five")
	}
	if push(t, s, numbered(6)); woken() {
		t.Fatal("woken, and does not wait")
	}
	expect(t, drain(t, s), 1, 6)
	for range memoryRecords + 1 {
		push(t, s, "x")
	}
	if batch, err := s.Take(2*memoryRecords, 3); err != nil || len(batch) != 3 {
		t.Fatalf("took %d records with more on disk (%v)", len(batch), err)
	}
}

func TestWhatIsNotDoneComesAgain(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, roomy)
	for n := 1; n <= 100; n++ {
		push(t, s, numbered(n))
	}
	for n := range 60 {
		next(t, s)
		if n < 40 {
			s.Done(1)
		}
	}
	shut(t, s)
	s, found := open(t, dir, roomy)
	if found.Records != 60 || found.Torn != 0 || len(found.Damaged) != 0 {
		t.Fatalf("found %+v", found)
	}
	push(t, s, numbered(101))
	expect(t, drain(t, s), 41, 101)
	_, _ = s.Close()
	if _, found := open(t, dir, roomy); found.Records != 0 {
		t.Fatalf("then found %+v", found)
	}
}

func TestTornRecordIsDropped(t *testing.T) {
	for name, lost := range map[string]int64{"in its header": 2990 + headerSize - 3, "in its data": 5, "whole": 2990 + headerSize + 5} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := open(t, dir, roomy)
			for n := 2900; n <= 2990; n++ {
				push(t, s, numbered(n))
			}
			path := s.files.list[0].path
			_, _ = s.Close()
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, info.Size()-lost)
			}
			if err != nil {
				t.Fatal(err)
			}
			s, found := open(t, dir, roomy)
			if clean := name == "whole"; (found.Torn == 0) != clean || found.Records != 90 {
				t.Fatalf("found %+v", found)
			}
			push(t, s, numbered(2990))
			expect(t, drain(t, s), 2900, 2990)
		})
	}
}

// A record that has changed costs itself and no other, wherever the change is.
func TestChangedRecordIsKeptForPeople(t *testing.T) {
	const first, last = 2900, 2999
	for name, offset := range map[string]int{"length": 1, "number": 5, "sums": 13, "data": headerSize + 10} {
		for where, at := range map[string]int{"in the middle": 2931, "at the end of a file": 2921, "at the end": last} {
			t.Run(name+" "+where, func(t *testing.T) {
				dir := t.TempDir()
				s, _ := open(t, dir, 1<<20) // segments of 64 KiB
				for n := first; n <= last; n++ {
					push(t, s, numbered(n))
				}
				shut(t, s)
				flip(t, dir, at, offset)
				s, found := open(t, dir, 1<<20)
				if found.Lost != 1 || len(found.Damaged) != 1 || found.Torn != 0 || found.Records != last-first {
					t.Fatalf("found %+v", found)
				}
				got := drain(t, s)
				expect(t, got[:at-first], first, at-1)
				expect(t, got[at-first:], at+1, last)
				shut(t, s)
				if _, found := open(t, dir, 1<<20); found.Records+found.Lost+len(found.Damaged) > 0 {
					t.Errorf("then found %+v", found)
				}
			})
		}
	}
}

// flip changes a bit of the record that begins with number n.
func flip(t *testing.T, dir string, n, offset int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte(numbered(n)[:10]))
		if at < 0 {
			continue
		}
		b[at-headerSize+offset] ^= 0x10
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("record %d is in no file", n)
}

func TestStrangeFileIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk"+suffix)
	if err := os.WriteFile(junk, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, found := open(t, dir, roomy); len(found.Strange) != 1 || found.Strange[0] != junk {
		t.Errorf("found %+v", found)
	}
}

func TestDirectoryThatIsTakenAwayIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s, _ := open(t, dir, roomy)
	push(t, s, "x")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if state := s.State(); !errors.Is(state.Trouble, os.ErrNotExist) {
		t.Errorf("state %+v", state)
	}
}

func TestDirectoryHasOneUser(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, roomy)
	if _, _, err := Open(dir, roomy, verbatim); !errors.Is(err, ErrInUse) {
		t.Fatalf("got %v", err)
	}
	_, _ = s.Close()
	open(t, dir, roomy)
}

func TestDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(file, roomy, verbatim); err == nil || !strings.Contains(err.Error(), file) {
		t.Fatalf("got %v", err)
	}
}

// A full disk: what comes waits in memory, then Push waits, and nothing is lost.
func TestDiskThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, err := Open(t.TempDir(), roomy, verbatim)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = s.Close() }()
		full := &fullDisk{}
		s.files.create = full.create
		for n := 1; n <= 100; n++ {
			push(t, s, numbered(n))
		}
		full.is = true
		for n := 101; n <= 100+memoryRecords; n++ {
			push(t, s, numbered(n%100))
		}
		if state := s.State(); !errors.Is(state.Trouble, syscall.ENOSPC) || state.Unsafe != memoryRecords {
			t.Fatalf("state %+v", state)
		}
		pushed := make(chan error)
		go func() { pushed <- s.Push(t.Context(), []byte("last")) }()
		synctest.Wait()
		if s.State().Blocked.IsZero() {
			t.Fatal("not blocked")
		}
		for range 101 {
			next(t, s)
			s.Done(1)
		}
		if err := <-pushed; err != nil || !s.State().Blocked.IsZero() {
			t.Fatalf("after room was made: %v, %+v", err, s.State())
		}
		full.is = false
		push(t, s, "on disk again")
		if state := s.State(); state.Trouble != nil || state.Unsafe != 0 {
			t.Fatalf("then state %+v", state)
		}
		got := drain(t, s)
		if len(got) != memoryRecords+1 || got[len(got)-2] != "last" || got[len(got)-1] != "on disk again" {
			t.Fatalf("%d records, the last %.20q", len(got), got[len(got)-1])
		}
	})
}

// What fits is not written past what did not: a process that ends leaves no hole.
func TestNothingIsWrittenPastWhatWasRefused(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, 1<<20)
	big := strings.Repeat("x", 300<<10)
	for _, text := range []string{big, big, big, big, "small", "small"} {
		push(t, s, text)
	}
	if state := s.State(); state.Unsafe != 3 || !errors.Is(state.Trouble, errFull) {
		t.Fatalf("state %+v", state)
	}
	if lost, err := s.Close(); err != nil || lost != 3 {
		t.Fatalf("%d lost, %v", lost, err)
	}
	if s, found := open(t, dir, 1<<20); found.Records != 3 || len(drain(t, s)) != 3 {
		t.Fatalf("found %+v", found)
	}
}

// A disk that is full from the start costs nothing while memory has room, also
// with records of an earlier process before those of this one.
func TestFullDiskAtTheStart(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, roomy)
	for n := 1; n <= 500; n++ {
		push(t, s, numbered(n))
	}
	shut(t, s)
	s, _ = open(t, dir, roomy)
	full := &fullDisk{is: true}
	s.files.create = full.create
	for n := 501; n <= 1000; n++ {
		push(t, s, numbered(n))
	}
	if state := s.State(); state.Unsafe != 500 || !errors.Is(state.Trouble, syscall.ENOSPC) {
		t.Fatalf("state %+v", state)
	}
	expect(t, drain(t, s), 1, 1000)
	if state := s.State(); state.Unsafe != 0 || state.Behind {
		t.Fatalf("at last %+v", state)
	}
}

func TestPushEndsWithItsContext(t *testing.T) {
	s, _ := open(t, t.TempDir(), roomy)
	full := &fullDisk{is: true}
	s.files.create = full.create
	ctx, cancel := context.WithCancel(t.Context())
	for range memoryRecords {
		push(t, s, "x")
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := s.Push(ctx, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := s.Push(t.Context(), make([]byte, maxRecord+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
}

// fullDisk writes half of what does not fit, as a disk does.
type fullDisk struct{ is bool }

type fullFile struct {
	segmentFile
	disk *fullDisk
}

func (d *fullDisk) create(path string) (segmentFile, error) {
	if d.is {
		return nil, syscall.ENOSPC
	}
	f, err := create(path)
	return fullFile{f, d}, err
}

func (f fullFile) WriteAt(b []byte, at int64) (int, error) {
	if !f.disk.is {
		return f.segmentFile.WriteAt(b, at)
	}
	n, err := f.segmentFile.WriteAt(b[:len(b)/2], at)
	return n, errors.Join(err, syscall.ENOSPC)
}

func TestLimitIsKept(t *testing.T) {
	const limit = 1 << 20
	s, _ := open(t, t.TempDir(), limit)
	big := strings.Repeat("x", 100<<10)
	for range 40 {
		push(t, s, big)
	}
	if state := s.State(); state.Bytes > limit || !errors.Is(state.Trouble, errFull) || state.Waiting != 40 {
		t.Fatalf("state %+v", state)
	}
	if got := drain(t, s); len(got) != 40 {
		t.Fatalf("%d records", len(got))
	}
}

// What Push has returned from is there after a kill -9.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), asPusher+"="+dir)
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		in, last := bufio.NewReader(out), uint32(0)
		for range 2000 * (round + 1) {
			if err := binary.Read(in, binary.BigEndian, &last); err != nil {
				t.Fatal(err)
			}
		}
		_ = child.Process.Kill()
		for binary.Read(in, binary.BigEndian, &last) == nil { // what it said before it died
		}
		_ = child.Wait()
		s, _ := open(t, dir, 1<<30)
		got := drain(t, s)
		if len(got) < int(last) || len(got) > int(last)+1 {
			t.Fatalf("%d records, %d were pushed", len(got), last)
		}
		expect(t, got, 1, len(got))
		_, _ = s.Close()
	}
}

func pushForever(dir string) {
	s, _, err := Open(dir, 1<<30, verbatim)
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		if err := s.Push(context.Background(), []byte(numbered(n))); err != nil {
			panic(err)
		}
		_ = binary.Write(os.Stdout, binary.BigEndian, uint32(n))
	}
}

// Any sequence of pushes, takes, ends and restarts yields every record once, in
// order, but for those that were taken and not ended before a restart.
func TestSpoolIsAQueue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		limit := rapid.Int64Range(1<<20, 4<<20).Draw(r, "limit")
		s, _, err := Open(dir, limit, verbatim)
		if err != nil {
			r.Fatal(err)
		}
		pushed, taken, done := 0, 0, 0
		disk := &fullDisk{}
		s.files.create = disk.create
		r.Repeat(map[string]func(*rapid.T){
			"push": func(r *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(r, "n") {
					if s.State().Bytes+int64(s.risked) > limit-10000 {
						return
					}
					pushed++
					if err := s.Push(t.Context(), []byte(numbered(pushed))); err != nil {
						r.Fatal(err)
					}
				}
			},
			"take": func(r *rapid.T) {
				batch, err := s.Take(1, rapid.IntRange(1, 200).Draw(r, "n"))
				if err != nil || len(batch) == 0 && taken < pushed {
					r.Fatalf("took %d records of %d (%v)", len(batch), pushed-taken, err)
				}
				for _, data := range batch {
					if taken++; string(data) != numbered(taken) {
						r.Fatalf("took %.20q, want %d", data, taken)
					}
				}
			},
			"done": func(r *rapid.T) {
				n := min(rapid.IntRange(1, 200).Draw(r, "n"), taken-done)
				s.Done(n)
				done += n
			},
			"fill": func(*rapid.T) { disk.is = !disk.is },
			"restart": func(r *rapid.T) {
				disk.is = false
				if lost, err := s.Close(); err != nil || lost > 0 {
					r.Fatal(lost, err)
				}
				var found Found
				if s, found, err = Open(dir, limit, verbatim); err != nil || found.Records != pushed-done || found.Torn != 0 {
					r.Fatalf("found %+v (%v), want %d", found, err, pushed-done)
				}
				taken = done
				s.files.create = disk.create
			},
			"": func(r *rapid.T) {
				if n := s.State().Waiting; n != pushed-done {
					r.Fatalf("%d wait, want %d", n, pushed-done)
				}
			},
		})
		_, _ = s.Close()
	})
}
