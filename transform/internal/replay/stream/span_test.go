package stream

import (
	"testing"
	"time"
)

func TestAnew(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 2, 9, minute, 0, 0, time.UTC) }
	was := Span{Created: at(0), First: 5, Last: 9, From: at(5), To: at(9)}
	for name, tt := range map[string]struct {
		is   Span
		want bool
	}{
		"as it was":          {was, false},
		"it grew":            {Span{Created: at(0), First: 5, Last: 12, From: at(5)}, false},
		"its oldest expired": {Span{Created: at(0), First: 7, Last: 9, From: at(7)}, false},
		"all expired":        {Span{Created: at(0), First: 10, Last: 9}, false},
		"made again":         {Span{Created: at(20), First: 5, Last: 12, From: at(5)}, true},
		"put back":           {Span{Created: at(0), First: 5, Last: 8, From: at(5)}, true},
		"put further back":   {Span{Created: at(0), First: 1, Last: 12, From: at(1)}, true},
		"another first":      {Span{Created: at(0), First: 5, Last: 12, From: at(6)}, true},
	} {
		if got := tt.is.Anew(was); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
