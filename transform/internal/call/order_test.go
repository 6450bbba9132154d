package call

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// courses are whole calls, in the order in which they happened.
var courses = map[string]string{
	"answered": `
		+0s UserCallInComing jane
		+1s UserCallInArrived jane
		+2s UserCallInUserAllocated jane
		+8s UserCallInUserConnected jane
		+60s UserCallInDisconnected jane reason=remote`,
	"missed": `
		+0s UserCallInComing jane
		+1s UserCallInArrived jane
		+2s UserCallInUserAllocated jane
		+20s UserCallInUserCancelled jane
		+21s UserCallInDisconnected jane reason=remote`,
	"held": `
		+0s UserCallInUserAllocated jane
		+8s UserCallInUserConnected jane
		+10s UserCallInHoldStart jane
		+20s UserCallInHoldEnd jane
		+60s UserCallInDisconnected jane reason=local`,
	"overflow": `
		+0s UserCallInComing jane
		+1s UserCallInUserOverflow jane reason=DND
		+2s UserCallInTransferStarted jane
		+3s UserCallInTransferConnected jane
		+4s UserCallInUserAllocated tom
		+20s UserCallInUserCancelled tom
		+21s UserCallInDisconnected tom reason=remote`,
	"no answer, then a colleague": `
		+0s UserCallInComing jane
		+2s UserCallInUserAllocated jane
		+20s UserCallInUserCancelled jane
		+21s UserCallInOverflow jane
		+22s UserCallInUserAllocated tom
		+30s UserCallInUserConnected tom
		+60s UserCallInDisconnected tom reason=remote`,
	"parallel group": `
		+0s UserCallInUserAllocated jane queue=sales
		+0.1s UserCallInUserAllocated tom queue=sales
		+6s UserCallInUserConnected tom
		+6.1s UserCallInUserCancelled jane
		+60s UserCallInDisconnected tom reason=remote`,
	"parallel group missed": `
		+0s UserCallInUserAllocated jane queue=sales
		+0.1s UserCallInUserAllocated tom queue=sales
		+20s UserCallInDisconnected jane reason=remote
		+20.1s UserCallInUserCancelled tom`,
	"queue": `
		+0s QueueCallInComing -
		+9s QueueCallInUserAllocated jane
		+9.1s QueueCallInUserAllocated tom
		+20s QueueCallInDisconnected -`,
	"attended transfer": `
		+0s UserCallInUserAllocated jane
		+5s UserCallInUserConnected jane
		+20s UserCallInHoldStart jane
		+21s UserCallInTransferStarted jane
		+22s UserCallInUserAllocated tom
		+26s UserCallInUserConnected tom
		+40s UserCallInTransferConnected jane
		+60s UserCallInDisconnected tom`,
	"blind transfer": `
		+0s UserCallInUserAllocated jane
		+5s UserCallInUserConnected jane
		+20s UserCallInTransferStarted jane
		+21s UserCallInTransferConnected jane
		+22s UserCallInUserAllocated tom
		+26s UserCallInUserConnected tom
		+60s UserCallInDisconnected tom`,
	"two talk": `
		+0s UserCallInUserAllocated jane
		+5s UserCallInUserConnected jane
		+7s UserCallInUserAllocated tom
		+9s UserCallInUserConnected tom
		+50s UserCallInDisconnected jane
		+60s UserCallInDisconnected tom`,
}

// TestNeighboursSwapped: two neighbouring events that arrive in the wrong
// order come to the same end, but for a ring learned after somebody else's
// answer. The events arrive so close together that no timer comes between.
func TestNeighboursSwapped(t *testing.T) {
	for name, course := range courses {
		lines := script(t, []byte(course))
		want := finalOutcome(lines)
		for i := range len(lines) - 1 {
			a, b := lines[i].Raw, lines[i+1].Raw
			if strings.HasSuffix(a.EventType, "UserAllocated") && strings.HasSuffix(b.EventType, "UserConnected") && a.UserID != b.UserID {
				continue
			}
			swapped := slices.Clone(lines)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			if got := finalOutcome(swapped); got != want {
				t.Errorf("%s, %s before %s:\n%s\nwant\n%s", name, b.EventType, a.EventType, got, want)
			}
		}
	}
}

// TestEveryDelay goes further: any one event may come any number of places late.
func TestEveryDelay(t *testing.T) {
	for name, course := range courses {
		lines := script(t, []byte(course))
		want := finalOutcome(lines)
		last := len(lines) - 1
		for i := range last {
			for to := i + 1; to < last; to++ {
				if strings.HasSuffix(lines[i].Raw.EventType, "UserAllocated") {
					continue // a ring may be overtaken by an answer
				}
				moved := slices.Clone(lines)
				moved = slices.Insert(slices.Delete(moved, i, i+1), to, lines[i])
				if got := finalOutcome(moved); got != want {
					t.Errorf("%s, %s %d late:\n%s\nwant\n%s", name, lines[i].Text, to-i, got, want)
				}
			}
		}
	}
}

// TestEveryEventMissing: whichever event is never heard, the call closes, and
// whoever was shown it is told how it ended.
func TestEveryEventMissing(t *testing.T) {
	for name, course := range courses {
		lines := script(t, []byte(course))
		for i, missing := range lines {
			open := map[string]bool{}
			playOut(slices.Delete(slices.Clone(lines), i, i+1), func(e event.Call) {
				for _, u := range e.Audience {
					switch e.Type {
					case event.Incoming:
						open[u.UserID] = true
					case event.Ended, event.Missed:
						delete(open, u.UserID)
					}
				}
			})
			if len(open) > 0 {
				t.Errorf("%s without %s: still shown to %v", name, missing.Text, open)
			}
		}
	}
}

// TestEverythingDoubled: under its own id or another, the second time changes
// nothing for anybody.
func TestEverythingDoubled(t *testing.T) {
	for name, course := range courses {
		lines := script(t, []byte(course))
		want := finalOutcome(lines)
		for _, again := range []string{"", "-again"} {
			var doubled []Line
			for _, l := range lines {
				second := l
				second.Raw.ID += again
				doubled = append(doubled, l, second)
			}
			if got := finalOutcome(doubled); got != want {
				t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}

// finalOutcome says what each user was told last, and who answered last. An
// ended that had to be told at once names who was known to have answered.
func finalOutcome(lines []Line) string {
	last := map[string]string{}
	c := playOut(lines, func(e event.Call) {
		if e.Type == event.Ended || e.Type == event.Missed {
			for _, u := range e.Audience {
				last[u.UserID] = fmt.Sprintf("%s, inferred %v", e.Type, e.Inferred)
			}
		}
	})
	return fmt.Sprintf("%v, answered by %q", last, c.AnsweredBy)
}

// playOut plays events that arrive close together, and then lets time pass until
// the call closes.
func playOut(lines []Line, heard func(event.Call)) *Call {
	c, lim := New("c1"), DefaultLimits()
	hear := func(told []event.Call) {
		for _, e := range told {
			heard(e)
		}
	}
	stored := start.Add(2 * time.Minute)
	for _, l := range lines {
		stored = stored.Add(10 * time.Millisecond)
		told, _ := c.Apply(l.Raw, stored, lim)
		hear(told)
	}
	for c.Open() {
		hear(c.Tick(c.Due(lim), lim))
	}
	return c
}
