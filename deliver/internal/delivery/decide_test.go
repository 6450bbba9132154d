package delivery_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/schemas/event"
)

var update = flag.Bool("update", false, "rewrite testdata")

const golden = "testdata/decisions.txt"

// TestEveryStatus compares the whole table with its picture: every HTTP status,
// before and after a fresh token, and every way to get none.
func TestEveryStatus(t *testing.T) {
	got := picture()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table is no longer as %s shows it (-update rewrites it):\n%s", golden, got)
	}
}

func picture() string {
	var b strings.Builder
	last, from := "", 0
	flush := func(to int) {
		if last != "" {
			fmt.Fprintf(&b, "%3d-%3d  %s\n", from, to, last)
		}
	}
	for status := range 1000 {
		if line := describe(delivery.Result{Kind: delivery.Answered, Status: status}); line != last {
			flush(status - 1)
			last, from = line, status
		}
	}
	flush(999)
	for _, status := range []int{400, 401, 403, 422} {
		fmt.Fprintf(&b, "%d about a setting  %s\n", status, describe(delivery.Result{Kind: delivery.Answered, Status: status, Misset: true}))
	}
	for _, kind := range delivery.Kinds()[1:] {
		fmt.Fprintf(&b, "%s  %s\n", kind, describe(delivery.Result{Kind: kind, Sent: true}))
	}
	return b.String()
}

func describe(r delivery.Result) string {
	one := func(a delivery.Attempt) string {
		a.Number, a.Patience = 3, time.Minute
		v := delivery.Decide(r, a, 0)
		text := string(v.Action)
		if v.Cause != "" {
			text += " " + v.Cause
		}
		if v.Wait > 0 {
			text += " " + v.Wait.String()
		}
		if v.Perhaps {
			text += ", perhaps shown"
		}
		if v.Slot > 0 {
			text += ", its slot taken for " + v.Slot.String()
		}
		a.Targets = 2
		if several := delivery.Decide(r, a, 0); several.Action != v.Action || several.Alone {
			text += "; of several negotiators: " + string(several.Action) + " one by one"
		}
		return text
	}
	before, after := one(delivery.Attempt{}), one(delivery.Attempt{Refreshed: true})
	if before == after {
		return before
	}
	return before + "; after a fresh token: " + after
}

func TestEveryVerdictButSuccessSaysWhy(t *testing.T) {
	for _, kind := range delivery.Kinds() {
		for status := range 1000 {
			v := delivery.Decide(delivery.Result{Kind: kind, Status: status}, delivery.Attempt{Number: 1, Patience: time.Second}, 0.5)
			done := v.Action == delivery.Deliver || v.Action == delivery.Shadow
			ends := map[delivery.Action]event.OutcomeType{delivery.Reject: event.Rejected, delivery.Bury: event.Dead}
			if outcome, over := ends[v.Action]; over && !slices.Contains(event.Causes(outcome), v.Cause) {
				t.Fatalf("%s %d: %s by %q", kind, status, outcome, v.Cause)
			}
			if done != (v.Reason == "") || done != (v.Cause == "") || v.Cause == "unknown" {
				t.Fatalf("%s %d: %+v", kind, status, v)
			}
		}
	}
}

func TestWhatWasNotSentIsNotShown(t *testing.T) {
	for _, kind := range delivery.Kinds()[1:] {
		if v := delivery.Decide(delivery.Result{Kind: kind}, delivery.Attempt{Number: 1}, 0); v.Perhaps {
			t.Errorf("%s: perhaps shown", kind)
		}
	}
}

func TestRetryAfterIsHonouredUpToAMinute(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 503, 504} {
		r := delivery.Result{Kind: delivery.Answered, Status: status}
		for asked, want := range map[time.Duration]time.Duration{
			20 * time.Second: 20 * time.Second, time.Minute: time.Minute, time.Hour: time.Minute, 24 * time.Hour: time.Minute,
		} {
			r.RetryAfter = asked
			v := delivery.Decide(r, delivery.Attempt{Number: 1, Patience: time.Second}, 1)
			if v.Wait != want || v.Action == delivery.Pause && (v.Hold != want || v.Trial != (asked > want)) {
				t.Errorf("%d: asked for %s: %+v", status, asked, v)
			}
		}
		r.RetryAfter = time.Millisecond
		if v := delivery.Decide(r, delivery.Attempt{Number: 1, Patience: time.Second}, 0); v.Wait < 250*time.Millisecond || v.Trial {
			t.Errorf("%d: %+v", status, v)
		}
	}
}

// What has all day can wait for as long as its own waits may become; nobody
// else waits with it.
func TestWhoIsPatientWaitsLonger(t *testing.T) {
	r := delivery.Result{Kind: delivery.Answered, Status: 503, RetryAfter: time.Hour}
	if v := delivery.Decide(r, delivery.Attempt{Number: 1, Patience: 5 * time.Minute}, 0); v.Wait != 5*time.Minute {
		t.Errorf("waits %s", v.Wait)
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	const patience = 10 * time.Second
	last := time.Duration(0)
	for n := range 100 {
		lowest, highest := delivery.Backoff(n, patience, 0), delivery.Backoff(n, patience, 1)
		if lowest <= 0 || lowest < last || highest != 2*lowest || highest > patience {
			t.Fatalf("attempt %d waits %s to %s after %s", n, lowest, highest, last)
		}
		last = lowest
	}
	if last != patience/2 {
		t.Fatalf("ends at %s", last)
	}
}

// What would be tried again only after its deadline has an end now.
func TestNothingWaitsPastItsDeadline(t *testing.T) {
	for _, kind := range delivery.Kinds() {
		for status := range 1000 {
			r := delivery.Result{Kind: kind, Status: status, RetryAfter: 10 * time.Second}
			a := delivery.Attempt{Number: 4, Patience: time.Minute, Left: 9 * time.Second}
			v := delivery.Decide(r, a, 1)
			if want := v.Action == delivery.Retry || v.Action == delivery.Pause; v.Late != want {
				t.Fatalf("%s %d with 9s left: %+v", kind, status, v)
			}
			if a.Left = 11 * time.Second; delivery.Decide(r, a, 1).Late {
				t.Fatalf("%s %d with 11s left is late", kind, status)
			}
			if a.Left = 0; delivery.Decide(r, a, 1).Late {
				t.Fatalf("%s %d without a deadline is late", kind, status)
			}
		}
	}
}

// One negotiator of several harms nobody, and an outage does not split what one
// request can do.
func TestSeveralNegotiators(t *testing.T) {
	for _, c := range []struct {
		r      delivery.Result
		number int
		action delivery.Action
		alone  bool
	}{
		{delivery.Result{Kind: delivery.Answered, Status: 202}, 1, delivery.Deliver, false},
		{delivery.Result{Kind: delivery.Answered, Status: 422}, 1, delivery.Split, false},
		{delivery.Result{Kind: delivery.Answered, Status: 400}, 1, delivery.Split, false},
		{delivery.Result{Kind: delivery.Answered, Status: 418}, 1, delivery.Split, false},
		{delivery.Result{Kind: delivery.Answered, Status: 500}, 1, delivery.Retry, false},
		{delivery.Result{Kind: delivery.Answered, Status: 500}, 2, delivery.Retry, true},
		{delivery.Result{Kind: delivery.Answered, Status: 503}, 9, delivery.Retry, false},
		{delivery.Result{Kind: delivery.Answered, Status: 429}, 9, delivery.Pause, false},
		{delivery.Result{Kind: delivery.Refused}, 9, delivery.Retry, false},
	} {
		v := delivery.Decide(c.r, delivery.Attempt{Number: c.number, Patience: time.Minute, Targets: 25}, 0)
		if v.Action != c.action || v.Alone != c.alone {
			t.Errorf("%+v, attempt %d: %+v", c.r, c.number, v)
		}
	}
}

func TestOneWhoWaitedLessLeavesItsSlotTakenForLonger(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 10 * time.Second: 20 * time.Second, time.Minute: 0} {
		r := delivery.Result{Kind: delivery.Timeout, Sent: true, Took: took}
		if v := delivery.Decide(r, delivery.Attempt{Number: 1}, 0); v.Slot != want {
			t.Errorf("after %s: %s", took, v.Slot)
		}
	}
	if v := delivery.Decide(delivery.Result{Kind: delivery.Timeout}, delivery.Attempt{Number: 1}, 0); v.Slot != 0 {
		t.Errorf("not sent: %s", v.Slot)
	}
}
