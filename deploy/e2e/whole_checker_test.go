//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// What a fault excuses is excused, and nothing else: a call shown after its end by
// somebody who could not hear of it, a notification repeated by somebody who could
// not know of it, two clocks that differ.
func TestWholeExcusesWhatNobodyCanKnow(t *testing.T) {
	repeat := func(e *evidence, later time.Duration) (first request) {
		r, _ := e.of("missedCall", 3)
		first = *r
		again := first
		again.Time = again.Time.Add(later)
		e.add(again)
		return first
	}
	overtake := func(e *evidence, by time.Duration) (over time.Time) {
		end, _ := e.of("missedCall", 0)
		r, _ := e.inLaneOf(end, "incomingCall")
		stories, _ := e.stories()
		over = stories[laneKey{r.Customer, r.NegotiatorIDs[0], r.CallID}].over()
		r.Time, end.Time = over.Add(by), over.Add(by+100*time.Millisecond)
		e.sort()
		return over
	}
	for name, c := range map[string]struct {
		plant func(e *evidence)
		want  []string
	}{
		"repeated": {func(e *evidence) { repeat(e, time.Second) }, []string{postedTwice}},
		"repeated by the next": {func(e *evidence) {
			first := repeat(e, time.Second)
			e.reigns = []span{{first.Time.Add(300 * time.Millisecond), first.Time.Add(400 * time.Millisecond)}}
		}, nil},
		"repeated before the next": {func(e *evidence) {
			first := repeat(e, time.Second)
			e.reigns = []span{{first.Time.Add(2 * time.Second), first.Time.Add(3 * time.Second)}}
		}, []string{postedTwice}},
		"shown after the end": {func(e *evidence) { overtake(e, time.Second) }, []string{afterTheEnd}},
		"shown after the end by the deaf": {func(e *evidence) {
			over := overtake(e, time.Second)
			e.deaf = []span{{over.Add(-time.Second), over.Add(2 * time.Second)}}
		}, nil},
		"shown after the end by one who had heard it before": {func(e *evidence) {
			over := overtake(e, time.Second)
			e.deaf = []span{{over.Add(500 * time.Millisecond), over.Add(2 * time.Second)}}
		}, []string{afterTheEnd}},
		"shown after the end by one who went deaf before": {func(e *evidence) {
			over := overtake(e, time.Second)
			e.deaf = []span{{over.Add(100 * time.Millisecond), over.Add(2 * time.Second)}}
		}, nil},
		"shown after the end by one who was deaf now and then": {func(e *evidence) {
			over := overtake(e, time.Second)
			e.deaf = []span{{over.Add(100 * time.Millisecond), over.Add(200 * time.Millisecond)}, {over.Add(900 * time.Millisecond), over.Add(2 * time.Second)}}
		}, []string{afterTheEnd}},
		"shown after the end by one who had heard it again": {func(e *evidence) {
			over := overtake(e, time.Second)
			e.deaf = []span{{over.Add(-time.Second), over.Add(500 * time.Millisecond)}}
		}, []string{afterTheEnd}},
		"shown after the end, whatever was hurt": {func(e *evidence) {
			over := overtake(e, hardest+time.Second)
			e.deaf = []span{{over.Add(-time.Second), over.Add(time.Minute)}}
		}, []string{afterTheEnd}},
		"late by a clock": {func(e *evidence) {
			e.deadlines = maps.Clone(e.deadlines)
			e.deadlines[event.Incoming], e.clocks = 60*time.Millisecond, 2*time.Minute
		}, nil},
		"at another tenant": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.Customer = "RES"
		}, []string{wrongCustomer, untrue}},
	} {
		e := honest()
		c.plant(e)
		found := slices.Concat(e.check(), e.outlived())
		if got := slices.Sorted(maps.Keys(kindsOf(found))); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
			t.Errorf("%s: found %v, want %v:\n%v", name, got, c.want, found)
		}
	}
}

// Every kind of finding breaks a promise of the certificate, and what is written down
// can be read again.
func TestCertificateSaysWhatWasFound(t *testing.T) {
	found := []finding{
		{where: "RTE", kind: missingEvent},
		{where: "CALL_LOG_2", kind: changedEvent},
		{where: reapitSide, kind: wrongCustomer},
		{where: reapitSide, kind: afterTheEnd},
		{where: "somewhere", kind: "of no promise"},
	}
	c := certificate{Seed: 7, Faults: map[string]int{"replica killed": 2}, FaultsDone: 2, Counts: map[string]int{"raw events in RTE": 5}, Violations: kindsOf(found)}
	c.judged(found)
	broken := 0
	for _, p := range c.Promises {
		if p.Violations > 1 {
			t.Errorf("%d violations of %q", p.Violations, p.Says)
		}
		broken += p.Violations
	}
	if broken != len(found) || len(c.Promises) != len(checked)+1 {
		t.Errorf("%d of %d findings break a promise: %+v", broken, len(found), c.Promises)
	}
	dir := t.TempDir()
	if err := c.write(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "certificate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read certificate
	if err := json.Unmarshal(b, &read); err != nil || read.Seed != 7 || len(read.Examples) != len(found) {
		t.Errorf("%+v, %v", read, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "certificate.md")); err != nil || !bytes.Contains(text, []byte("# Certificate: 5 violations")) {
		t.Errorf("%s, %v", text, err)
	}
}
