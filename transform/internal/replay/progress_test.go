package replay

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ringstream/transform/internal/replay/stream"
)

func TestLeft(t *testing.T) {
	for _, tt := range []struct {
		spent     time.Duration
		done, all uint64
		want      string
	}{
		{900 * time.Millisecond, 1, 100, ""}, // too little to tell
		{10 * time.Second, 1, 4, ", 30s left"},
		{2 * time.Second, 999, 1000, ", 1s left"},
		{time.Hour, 100, 100, ""},
	} {
		if got := left(tt.spent, tt.done, tt.all); got != tt.want {
			t.Errorf("%v for %d of %d: %q, want %q", tt.spent, tt.done, tt.all, got, tt.want)
		}
	}
}

// The line is written anew for each percent only, and is gone in the end.
func TestProgress(t *testing.T) {
	var w bytes.Buffer
	p := progress{w: &w, what: "reading"}
	s := stream.Span{Name: "RTE", First: 1001, Last: 3000}
	for seq := s.First; seq <= s.Last; seq++ {
		p.at(s, seq)
	}
	p.done()
	p.done()
	text := w.String()
	if n := strings.Count(text, "\r"); n != 102 || !strings.HasSuffix(text, "[####################] 100 %\x1b[K\r\x1b[K") || !strings.Contains(text, "\rreading RTE [##########          ] 50 %\x1b[K") {
		t.Errorf("%d times: %q", n, text)
	}
	p.at(s, s.Last+1) // of what grew meanwhile
	if w.String() != text {
		t.Errorf("behind the end: %q", w.String())
	}
	none := progress{what: "reading"}
	none.at(s, s.First) // without a terminal
	none.done()
}
