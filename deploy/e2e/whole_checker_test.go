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

// What goes by the plan, by the outcomes' own times and by dead letters finds what is
// planted, and nothing else.
func TestWholeFindsWhatIsNotAsPlanned(t *testing.T) {
	over := func(e *evidence) span {
		return span{e.said[0].OccurredAt, e.said[len(e.said)-1].OccurredAt}
	}
	longRing := func(e *evidence) *request {
		stories, _ := e.stories()
		for n := 0; ; n++ {
			r, _ := e.of("incomingCall", n)
			s := stories[laneKey{r.Customer, r.NegotiatorIDs[0], r.CallID}]
			rang := s.event(event.Incoming).OccurredAt
			if m := s.event(event.Missed); m != nil && m.OccurredAt.Sub(rang) > shownWithin+time.Second && r.Time.Sub(rang) < shownWithin {
				return r
			}
		}
	}
	for name, c := range map[string]struct {
		plant func(e *evidence)
		rest  func(e *evidence) span
		want  []string
	}{
		"nothing":                   {func(*evidence) {}, over, nil},
		"a ring that was not shown": {func(e *evidence) { e.without(longRing(e)) }, over, []string{notShown}},
		"a ring that was shown late": {func(e *evidence) {
			r := longRing(e)
			r.Time = r.Time.Add(shownWithin)
			e.sort()
		}, over, []string{notShown}},
		"a ring that was not shown while something was hurt": {func(e *evidence) { e.without(longRing(e)) }, func(*evidence) span { return span{} }, nil},
		"a dead letter of what was accepted": {func(e *evidence) {
			_, o := e.of("missedCall", 3)
			e.letters = append(e.letters, event.DeadLetter{Service: "deliver", EventID: o.EventID, Customer: o.Customer, NegotiatorID: o.NegotiatorID})
		}, over, []string{baselessLetter}},
		"a dead letter of another service": {func(e *evidence) {
			e.letters = append(e.letters, event.DeadLetter{Service: "ingest", Reason: "too-large"})
		}, over, []string{baselessLetter}},
		"posted after its outcome": {func(e *evidence) {
			r, o := e.of("missedCall", 3)
			e.recorded = map[string]time.Time{deliveryOf(o.EventID, o.Customer, o.NegotiatorID): r.Time.Add(-100 * time.Millisecond)}
		}, over, []string{afterOutcome}},
		"posted before its outcome": {func(e *evidence) {
			r, o := e.of("missedCall", 3)
			e.recorded = map[string]time.Time{deliveryOf(o.EventID, o.Customer, o.NegotiatorID): r.Time.Add(40 * time.Millisecond)}
		}, over, nil},
	} {
		e := honest()
		c.plant(e)
		found := slices.Concat(e.silent(c.rest(e)), e.baseless(), e.afterwards())
		if got := slices.Sorted(maps.Keys(kindsOf(found))); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %v, want %v:\n%v", name, got, c.want, found)
		}
	}
}

func TestWholeFindsTooManyExcuses(t *testing.T) {
	all := []excuse{{"seen", 200, 200_000, 1}, {"seen", 0, 0, 1}, {"too often", 201, 200_000, 1}, {"of nothing", 1, 0, 1}}
	if found := rare(all); len(found) != 2 || found[0].note != "201 of 200000: too often" {
		t.Errorf("found %v", found)
	}
}

// A fold that is wrong in the same way whoever does it is found by the plan of the
// calls; of what was not heard whole nothing is expected.
func TestWholeFindsWhatTheFoldHasWrong(t *testing.T) {
	const id = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	office := newOffice(1, "SBOX", 2)
	call := event.Call{CallID: id, OrganizationID: office.organization, Caller: "+447700900123", Audience: office.staff[:1], Type: event.Incoming}
	missed := call
	missed.Type = event.Missed
	for name, c := range map[string]struct {
		plant func(h *history, told []said) []said
		gaps  []span
		want  int
		whole int
	}{
		"as planned":   {func(_ *history, told []said) []said { return told }, nil, 0, 1},
		"nothing told": {func(*history, []said) []said { return nil }, nil, 1, 1},
		"one too few":  {func(_ *history, told []said) []said { return told[:1] }, nil, 1, 1},
		"one twice":    {func(_ *history, told []said) []said { return append(told, told[1]) }, nil, 1, 1},
		"to another": {func(_ *history, told []said) []said {
			told[1].Audience = office.staff[1:]
			return told
		}, nil, 1, 1},
		"of another organization": {func(_ *history, told []said) []said {
			told[0].OrganizationID = newOffice(2, "RES", 1).organization
			return told
		}, nil, 1, 1},
		"as another kind": {func(_ *history, told []said) []said {
			told[1].Type = event.Ended
			return told
		}, nil, 1, 1},
		"nothing told, beside a gap":      {func(*history, []said) []said { return nil }, []span{{at.Add(-3 * time.Second), at.Add(-time.Second)}}, 0, 0},
		"nothing told, a gap long before": {func(*history, []said) []said { return nil }, []span{{at.Add(-time.Minute), at.Add(-50 * time.Second)}}, 1, 1},
		"nothing told, not heard whole": {func(h *history, told []said) []said {
			h.stored = h.stored[:1]
			return nil
		}, nil, 0, 0},
		"nothing told, heard in another order": {func(h *history, told []said) []said {
			slices.Reverse(h.stored)
			return nil
		}, nil, 0, 0},
	} {
		h := &history{calls: map[string]string{}}
		for n := range 2 {
			raw := []string{"rings", "cancelled"}[n]
			h.sent = append(h.sent, sentEntry{Connection: "a", ID: raw, Time: at.Add(time.Duration(n) * time.Second)})
			h.stored, h.calls[raw] = append(h.stored, raw), id
		}
		told := c.plant(h, []said{{Call: call}, {Call: missed}})
		found, whole := asPlanned(map[string]plannedCall{id: {[]cue{{call: call}, {call: missed}}, 2}}, h, c.gaps, told)
		if len(found) != c.want || whole != c.whole {
			t.Errorf("%s: found %v, whole %d", name, found, whole)
		}
	}
}
