package replay

import (
	"fmt"
	"io"
	"strings"
	"time"

	"ringstream/transform/internal/replay/stream"
)

// progress rewrites one line of a terminal while a stream is read. Without a
// terminal it says nothing.
type progress struct {
	w       io.Writer
	what    string
	percent uint64
	shown   bool
	began   time.Time
}

// at tells that the span was read up to a position.
func (p *progress) at(s stream.Span, seq uint64) {
	if p.w == nil || s.Empty() || seq < s.First || seq > s.Last {
		return
	}
	done, all := seq-s.First+1, s.Last-s.First+1
	percent := done * 100 / all
	if p.shown && percent == p.percent {
		return
	}
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	p.shown, p.percent = true, percent
	fmt.Fprintf(p.w, "\r%s %s %s %d %%%s\x1b[K", p.what, s.Name, meter(percent), percent, left(now.Sub(p.began), done, all))
}

// How many characters a whole meter has.
const cells = 20

func meter(percent uint64) string {
	full := int(percent) * cells / 100 //nolint:gosec // at most 100
	return "[" + strings.Repeat("#", full) + strings.Repeat(" ", cells-full) + "]"
}

// left says how long the rest will take, if what was read so far tells.
func left(spent time.Duration, done, all uint64) string {
	const tells = time.Second
	if spent < tells || done >= all {
		return ""
	}
	rest := time.Duration(float64(spent) / float64(done) * float64(all-done))
	return fmt.Sprintf(", %s left", max(rest, time.Second).Round(time.Second))
}

// done clears the line.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.shown = false
}
