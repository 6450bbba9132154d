package replay

import (
	"fmt"
	"io"

	"ringstream/transform/internal/replay/stream"
)

// progress rewrites one line of a terminal while a stream is read. Without a
// terminal it says nothing.
type progress struct {
	w       io.Writer
	what    string
	percent uint64
	shown   bool
}

// at tells that the span was read up to a position.
func (p *progress) at(s stream.Span, seq uint64) {
	if p.w == nil || s.Empty() || seq < s.First {
		return
	}
	percent := (seq - s.First + 1) * 100 / (s.Last - s.First + 1)
	if p.shown && percent == p.percent {
		return
	}
	p.shown, p.percent = true, percent
	fmt.Fprintf(p.w, "\r%s %s: %d %%\x1b[K", p.what, s.Name, percent)
}

// done clears the line.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.shown = false
}
