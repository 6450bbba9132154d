package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// scan reads every segment that an earlier process left, and counts the records
// that are not done.
func (f *files) scan(found *Found) (left int, err error) {
	paths, err := filepath.Glob(filepath.Join(f.dir, "*"+suffix))
	if err != nil {
		return 0, err
	}
	slices.Sort(paths) // names are numbers of one length
	c := check{found: found, done: f.done}
	for i, path := range paths {
		first, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), suffix), 10, 64)
		if err != nil {
			found.Strange = append(found.Strange, path)
			continue
		}
		c.last = i == len(paths)-1
		c.segment = &segment{path: path, first: first}
		if err := c.run(); err != nil {
			return 0, err
		}
		if c.segment.last <= f.done {
			if err := os.Remove(path); err != nil {
				return 0, err
			}
			continue
		}
		f.list = append(f.list, c.segment)
		f.total += c.segment.size
	}
	if c.broken {
		found.Lost++ // one at least: what followed the damage
	}
	return c.left, nil
}

// check goes through segments in order and leaves in them what can be trusted.
type check struct {
	found   *Found
	done    uint64
	segment *segment
	last    bool   // no segment follows: its end may have been cut off
	newest  uint64 // record so far
	left    int    // records that are not done
	broken  bool   // between the newest record and what follows
}

func (c *check) run() error {
	all, err := os.ReadFile(c.segment.path)
	if err != nil {
		return err
	}
	var kept []byte
	damaged := false
	for at := 0; at < len(all); {
		n, _, size, err := cutRecord(all[at:])
		if err == nil {
			if n > c.newest {
				c.take(n, size)
				kept = append(kept, all[at:at+size]...)
			} else {
				damaged = true // of another time
			}
			at += size
			continue
		}
		next, more := findRecord(all[at+1:], c.newest)
		if !more && c.last && errors.Is(err, errTorn) {
			c.found.Torn += int64(len(all) - at)
			break
		}
		damaged, c.broken = true, true
		if !more {
			break
		}
		at += 1 + next
	}
	switch {
	case damaged:
		return c.mend(kept)
	case len(kept) < len(all):
		return os.Truncate(c.segment.path, c.segment.size)
	default:
		return nil
	}
}

func (c *check) take(n uint64, size int) {
	if c.broken {
		c.found.Lost += int(n - c.newest - 1) //nolint:gosec // not so many
		c.broken = false
	}
	c.newest, c.segment.last = n, n
	c.segment.size += int64(size)
	if n > c.done {
		c.left++
	}
}

// mend leaves the records that can be trusted, and keeps what was there for people.
func (c *check) mend(kept []byte) error {
	path := c.segment.path
	if err := os.Rename(path, path+damagedSuffix); err != nil {
		return err
	}
	c.found.Damaged = append(c.found.Damaged, path+damagedSuffix)
	return os.WriteFile(path, kept, 0o600) //nolint:gosec // a segment of ours
}
