package e2e

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// ailment is one kind of fault of Reapit's.
type ailment struct {
	name   string
	action string        // as reapit-sim has it
	final  bool          // the notification is refused for good
	asks   time.Duration // until it may be tried again (Retry-After)
}

// ailments are every kind that is known.
var ailments = []ailment{
	{"400 validation", `{"status":400,"body":"validation","text":"is not valid"}`, true, 0},
	{"422 validation", `{"status":422,"text":"is not valid"}`, true, 0},
	{"401", `{"status":401}`, false, 0},
	{"403 scope", `{"status":403}`, false, 0},
	{"408", `{"status":408}`, false, 0},
	{"429", `{"status":429}`, false, 0},
	{"429, Retry-After in seconds", `{"status":429,"retryAfter":{"after":"1s"}}`, false, time.Second},
	{"429, Retry-After as a date", `{"status":429,"body":"api","retryAfter":{"after":"2s","as":"date"}}`, false, 2 * time.Second},
	{"500", `{"status":500}`, false, 0},
	{"502, a page", `{"status":502,"body":"html"}`, false, 0},
	{"503", `{"status":503}`, false, 0},
	{"503, Retry-After", `{"status":503,"body":"empty","retryAfter":{"after":"2s"}}`, false, 2 * time.Second},
	{"504", `{"status":504}`, false, 0},
	{"504, processed", `{"status":504,"processed":true}`, false, 0},
	{"hangs", `{"hang":true}`, false, 0},
	{"dropped", `{"drop":true}`, false, 0},
	{"dropped, processed", `{"drop":true,"processed":true}`, false, 0},
	{"slow body", `{"status":503,"slow":"10ms"}`, false, 0},
	{"malformed", `{"status":500,"body":"malformed"}`, false, 0},
	{"malformed, processed", `{"status":202,"body":"malformed","processed":true}`, false, 0},
	{"delayed", `{"delay":"1500ms"}`, false, 0},
}

// ail plants every kind of fault so that this part of the notifications meets one.
// A brief run has not the time to wait for what has all day.
func (d *desk) ail(part float64, seed uint64, brief bool) {
	d.t.Helper()
	d.control("knobs", fmt.Sprintf(`{"faultSeed":%d,"leakedSlot":"30s"}`, seed), nil)
	for _, a := range ailments {
		match := `{"path":"/notifications"}`
		if brief && a.name == "hangs" {
			match = `{"path":"/notifications","subType":"incomingCall"}`
		}
		d.plant(a, fmt.Sprintf(`{"match":%s,"chance":%g,"action":%s}`, match, part/float64(len(ailments)), a.action))
	}
}

// plant lets one fault come as the rule says, and returns the rule's number.
func (d *desk) plant(a ailment, rule string) (id int) {
	d.t.Helper()
	var planted []struct{ ID int }
	d.control("faults", rule, &planted)
	d.faults[planted[0].ID] = a
	return planted[0].ID
}

// met counts the requests by the fault that they met.
func (e *evidence) met() (lines []string) {
	counts := map[string]int{}
	for _, r := range e.requests {
		if a, met := e.faults[r.Fault]; met {
			counts[a.name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return lines
}
