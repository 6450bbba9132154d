package directory

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// look is how often a tenants file is read for changes. Its content is compared,
// not its date: a file behind a link that leads elsewhere, as Kubernetes changes
// mounted files, and one that is written anew within the same second are others.
const look = time.Second

// File is a tenants file that may change. It may be used concurrently.
type File struct {
	path, region string
	log          *slog.Logger

	mu     sync.Mutex
	broken error // why it cannot be used as it is now; nil while it can
	since  time.Time
}

// NewFile names the file and the region of organizations that have none.
func NewFile(path, region string, log *slog.Logger) *File {
	return &File{path: path, region: region, log: log}
}

// Read reads it as it is now.
func (f *File) Read() (Tenants, error) {
	content, err := f.content()
	if err != nil {
		return Tenants{}, err
	}
	return f.parse(content)
}

func (f *File) content() ([]byte, error) {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	return content, nil
}

func (f *File) parse(content []byte) (Tenants, error) {
	t, err := ParseTenants(content, f.region)
	if err != nil {
		return Tenants{}, fmt.Errorf("read tenants from %s: %w", f.path, err)
	}
	return t, nil
}

// version is what was found at one look.
type version struct {
	content []byte
	err     error
}

func (v version) same(other version) bool {
	if v.err != nil || other.err != nil {
		return v.err != nil && other.err != nil && v.err.Error() == other.err.Error()
	}
	return bytes.Equal(v.content, other.content)
}

// Follow has the directory go by the file, until ctx is done. What was found
// twice counts: a file that is half written is seen once. One that cannot be
// used is told, once for each content, and the tenants stay as they are.
func (f *File) Follow(ctx context.Context, d *Directory) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var used, last version
	for ctx.Err() == nil {
		now := version{}
		if now.content, now.err = f.content(); now.same(last) && !now.same(used) {
			used = now
			f.use(now, d)
		}
		last = now
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (f *File) use(v version, d *Directory) {
	t, err := Tenants{}, v.err
	if err == nil {
		t, err = f.parse(v.content)
	}
	f.mu.Lock()
	if f.broken == nil {
		f.since = time.Now()
	}
	f.broken = err
	f.mu.Unlock()
	if err != nil {
		f.log.Error("the tenants file cannot be used; the tenants stay as they were", "error", err)
		return
	}
	added, removed, changed := d.difference(t)
	if len(added)+len(removed)+len(changed) > 0 {
		f.log.Info("tenants changed", "added", added, "removed", removed, "changed", changed)
	}
	d.Apply(t)
}

// Trouble is since when and why the file cannot be used as it is; nil while it can.
func (f *File) Trouble() (since time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since, f.broken
}
