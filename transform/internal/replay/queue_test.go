package replay

import (
	"strings"
	"testing"
	"time"

	"ringstream/transform/internal/replay/explain"
)

// A cause stands before what came of it, whichever is read first.
func TestQueue(t *testing.T) {
	var q queue
	at := func(ms int) time.Time { return nine.Add(time.Duration(ms) * time.Millisecond) }
	add := func(name string, stored, read int) {
		q.add(line{name, explain.Entry{At: at(stored)}}, at(read))
	}
	taken := func(all []line) string {
		names := make([]string, len(all))
		for i, l := range all {
			names[i] = l.Call
		}
		return strings.Join(names, " ")
	}
	add("outcome", 3, 10)
	add("event", 2, 20)
	add("raw", 1, 100)
	add("raw, too", 1, 101)
	add("next", 50, 102)
	if got := taken(q.due(at(159))); got != "" {
		t.Errorf("too early: %s", got)
	}
	if got := taken(q.due(at(160))); got != "raw raw, too event outcome" {
		t.Errorf("got %s", got)
	}
	add("late", 1, 200)
	if got := taken(q.due(at(251))); got != "" {
		t.Errorf("too early: %s", got)
	}
	if got := taken(q.due(at(252))); got != "late next" {
		t.Errorf("got %s", got)
	}
	add("last", 300, 300)
	if got := taken(q.rest()) + taken(q.rest()); got != "last" {
		t.Errorf("got %s", got)
	}
}
