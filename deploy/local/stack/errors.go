package stack

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels of the package.
var (
	ErrMissing  = errors.New("binaries are missing")
	ErrInUse    = errors.New("directory is in use")
	ErrUnknown  = errors.New("no such process")
	ErrRunning  = errors.New("is running")
	ErrNotReady = errors.New("is not ready")
	ErrEnded    = errors.New("ended by itself")
)

// Failure is a process that did not do what it was started for.
type Failure struct {
	Process string
	Log     string   // its log file
	Tail    []string // the last lines of it
	Err     error
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v\n", f.Process, f.Err)
	if len(f.Tail) == 0 {
		fmt.Fprintf(&b, "  it wrote nothing to its log, %s", f.Log)
		return b.String()
	}
	fmt.Fprintf(&b, "  the last lines of its log, %s:", f.Log)
	for _, line := range f.Tail {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

func (f *Failure) Unwrap() error { return f.Err }
