package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lock takes a directory for this process; the system gives it back at its
// end, however that comes.
func lock(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the directory is the caller's choice
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = file.Close() }()
		return nil, occupied(dir, file, err)
	}
	_ = file.Truncate(0) // who holds it is only told to people
	_, _ = fmt.Fprintln(file, os.Getpid())
	return file, nil
}

func occupied(dir string, file io.Reader, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	holder, _ := io.ReadAll(file) // without it the sentence is shorter
	return fmt.Errorf("%w: process %s runs on %s; stop it, or choose another by RINGSTREAM_DIR",
		ErrInUse, strings.TrimSpace(string(holder)), dir)
}
