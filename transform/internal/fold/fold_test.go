package fold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

const org = "29f6e823-b484-e611-80c9-00505689257e"

// morning makes the raw stream of a busy morning: calls in every state,
// interleaved, doubled, some never ended, with heartbeats once a second.
func morning(seed uint64, calls int) []Input {
	rnd := rand.New(rand.NewPCG(seed, 0))
	var in []Input
	type script struct {
		id    string
		steps []string
		user  string
	}
	var live []*script
	at, n := start, 0
	guid := func(kind, i int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, i) }
	for len(live) > 0 || calls > 0 {
		at = at.Add(time.Duration(rnd.IntN(400)) * time.Millisecond)
		seq := uint64(len(in) + 1)
		if rnd.IntN(4) == 0 {
			in = append(in, Input{Seq: seq, Stored: at, Feed: &event.Feed{Instance: "a", Type: event.Heartbeat, Live: true, At: at}})
			continue
		}
		if calls > 0 && (len(live) < 20 || rnd.IntN(8) == 0) {
			steps := [][]string{
				{"UserCallInComing", "UserCallInUserAllocated", "UserCallInUserConnected", "UserCallInDisconnected"},
				{"UserCallInComing", "UserCallInUserAllocated", "UserCallInDisconnected"},
				{"UserCallInComing", "UserCallInUserAllocated"},
				{"UserCallOutGoing", "UserCallOutConnected", "UserCallOutDisconnected"},
			}[rnd.IntN(4)]
			live = append(live, &script{id: guid(1, calls), steps: steps, user: guid(2, rnd.IntN(9))})
			calls--
		}
		if len(live) == 0 {
			continue
		}
		i := rnd.IntN(len(live))
		s := live[i]
		n++
		r := event.Raw{
			ID: guid(3, n), EventType: s.steps[0], EntityType: "User", EntityID: s.user, OrganizationID: org, UserID: s.user, CallID: s.id,
			CallerNumber: "+441632960001", TargetNumber: "+441632960002", Timestamp: at,
		}
		for range 1 + rnd.IntN(8)/7 {
			in = append(in, Input{Seq: uint64(len(in) + 1), Stored: at, Raw: &r})
		}
		if s.steps = s.steps[1:]; len(s.steps) == 0 {
			live = append(live[:i], live[i+1:]...)
		}
	}
	// The day after: every timer fires.
	for range 3 {
		at = at.Add(24 * time.Hour)
		in = append(in, Input{Seq: uint64(len(in) + 1), Stored: at, Feed: &event.Feed{Instance: "a", Type: event.Heartbeat, Live: true, At: at}})
	}
	return in
}

func outputs(t *testing.T, f *Fold, in []Input) (out []byte) {
	t.Helper()
	for _, i := range in {
		for idx, o := range f.Step(i).Outputs {
			b, err := json.Marshal(o.Call)
			if err != nil {
				t.Fatal(err)
			}
			out = fmt.Appendf(out, "%d/%d %s\n", i.Seq, idx, b)
		}
	}
	return out
}

func TestFoldIsAFunctionOfItsInput(t *testing.T) {
	in := morning(1, 400)
	want := outputs(t, New(call.DefaultLimits()), in)
	if n := bytes.Count(want, []byte("\n")); n < 800 {
		t.Fatalf("only %d outputs: the morning is too quiet", n)
	}
	if got := outputs(t, New(call.DefaultLimits()), in); !bytes.Equal(got, want) {
		t.Fatal("two folds of one stream differ")
	}
}

func TestFoldGoesOnFromAnySnapshot(t *testing.T) {
	in := morning(2, 120)
	want := outputs(t, New(call.DefaultLimits()), in)
	f := New(call.DefaultLimits())
	var got []byte
	for _, i := range in {
		got = append(got, outputs(t, f, []Input{i})...)
		b, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		restored, ok, err := Restore(call.DefaultLimits(), b)
		if err != nil || !ok {
			t.Fatalf("restore: %v %v", ok, err)
		}
		if restored.Open() != f.Open() {
			t.Fatalf("%d open after restore, %d before", restored.Open(), f.Open())
		}
		f = restored
	}
	if !bytes.Equal(got, want) {
		t.Fatal("restoring after every input changes the output")
	}
}

func TestFoldForgets(t *testing.T) {
	f := New(call.DefaultLimits())
	outputs(t, f, morning(3, 200))
	if f.Known() != 0 || f.Open() != 0 || len(f.timers) != 0 {
		t.Fatalf("%d calls, %d open, %d timers are left after two days", f.Known(), f.Open(), len(f.timers))
	}
}

// A call that comes back after it was forgotten goes on counting, also over a
// snapshot, and begins anew a day later.
func TestEventIDsOfACallAreNeverUsedTwice(t *testing.T) {
	f := New(call.DefaultLimits())
	seq := uint64(0)
	rings := func(at time.Duration) (ids []string) {
		seq++
		stored := start.Add(at)
		r := event.Raw{ID: fmt.Sprint(seq), CallID: "c", UserID: "u", EntityType: "User", EventType: "UserCallInUserAllocated", Timestamp: stored}
		for _, o := range f.Step(Input{Seq: seq, Stored: stored, Raw: &r}).Outputs {
			ids = append(ids, o.Call.EventID())
		}
		return ids
	}
	passes := func(at time.Duration) {
		seq++
		f.Step(Input{Seq: seq, Stored: start.Add(at)})
	}
	var got []string
	got = append(got, rings(0)...) // c/1 incoming; c/2 will be missed, by the limit
	passes(time.Hour)
	passes(2 * time.Hour)
	if f.Known() != 0 {
		t.Fatal("the call is not forgotten")
	}
	b, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if f, _, err = Restore(call.DefaultLimits(), b); err != nil {
		t.Fatal(err)
	}
	got = append(got, rings(3*time.Hour)...)
	passes(4 * time.Hour)
	passes(5 * time.Hour)
	passes(30 * time.Hour)
	if f.numbers.count != 0 || len(f.numbers.index) != 0 || len(f.numbers.queue) != 0 {
		t.Fatal("its number is not forgotten")
	}
	got = append(got, rings(31*time.Hour)...)
	if fmt.Sprint(got) != "[c/1 c/3 c/1]" {
		t.Fatalf("got %v", got)
	}
}

func TestSnapshotOfAnotherVersionIsIgnored(t *testing.T) {
	for _, other := range []string{
		`{"version":999}`,
		`{"version":1,"clock":"2026-11-02T09:00:00Z","numbers":[{"id":"c","n":2,"at":"2026-11-02T09:00:00Z"}]}`, // as the first version had it
		`{"version":2,"coverage":{"until":"2026-11-02T09:00:00Z","listening":{"a":{"epoch":"e"}}}}`,
		`{"version":3,"calls":[{"id":"c","last":"2026-11-02T09:00:00Z"}]}`,
		`{"version":5,"calls":{"c":1}}`,
	} {
		if _, ok, err := Restore(call.DefaultLimits(), []byte(other)); ok || err != nil {
			t.Fatalf("%s: got %v %v", other, ok, err)
		}
	}
	if _, _, err := Restore(call.DefaultLimits(), []byte(`{`)); err == nil {
		t.Fatal("a broken snapshot was taken")
	}
}

// A day of forgotten calls is in every snapshot.
func TestForgottenCallsAreSmallInASnapshot(t *testing.T) {
	f := New(call.DefaultLimits())
	const calls = 10_000
	id := func(i int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", i, i) }
	at := start
	for i := range calls {
		at = at.Add(3*time.Second + 123_456_789)
		f.numbers.keep(id(i), 1+i%300, at)
	}
	if n := f.numbers.take(id(7)); n != 8 {
		t.Fatalf("counted to %d", n)
	}
	f.numbers.keep(id(7), 9, at)
	b, err := f.Snapshot()
	if err != nil || len(b) > 35*calls {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	back, ok, err := Restore(call.DefaultLimits(), b)
	if err != nil || !ok || len(back.numbers.queue) != calls || back.numbers.count != calls {
		t.Fatalf("%v %v, %d of %d", ok, err, back.numbers.count, calls)
	}
	for i := range calls {
		if n := f.numbers.of(id(i)); n == 0 || back.numbers.of(id(i)) != n {
			t.Fatalf("%s counted to %d, and to %d when restored", id(i), n, back.numbers.of(id(i)))
		}
	}
	if again, err := back.Snapshot(); err != nil || !bytes.Equal(again, b) {
		t.Fatal("the restored state is saved in other bytes", err)
	}
	encoded := f.numbers.encode()
	for n := 1; n <= 18; n++ {
		if _, err := decodeNumbers(encoded[:n]); err == nil {
			t.Errorf("%d bytes were taken", n)
		}
	}
}

// Whether a snapshot is due must not depend on where a replica began.
func TestSnapshotsFallOnTheSameInputs(t *testing.T) {
	in := morning(4, 300)
	due := func(from int) (at []uint64) {
		f := New(call.DefaultLimits())
		for _, i := range in[from:] {
			if f.Step(i).Save {
				at = append(at, i.Seq)
			}
		}
		return at
	}
	all := due(0)
	if len(all) < 3 {
		t.Fatalf("only %d snapshots", len(all))
	}
	for from := 1; from < len(in); from += 17 {
		part := due(from)
		if tail := all[len(all)-len(part):]; fmt.Sprint(tail) != fmt.Sprint(part) {
			t.Fatalf("from input %d: %v, from the start: %v", from, part, tail)
		}
	}
}

// Nor on where it was restored, however large the state has become; and what is
// saved is the same.
func TestRestoredFoldIsSavedAtTheSameInputs(t *testing.T) {
	const calls, step = 4 * saveWeight, 40 * time.Millisecond
	whole, restored, at := New(call.DefaultLimits()), New(call.DefaultLimits()), start
	saves, most := 0, 0
	for n := range 30 * calls {
		at = at.Add(step)
		in := Input{Seq: uint64(n + 1), Stored: at}
		if c := n / 3; n%3 < 2 && c < 3*calls {
			kind := []string{"UserCallInUserAllocated", "UserCallInDisconnected"}[n%3]
			in.Raw = &event.Raw{ID: fmt.Sprint("e", n), CallID: fmt.Sprint("c", (c*7)%(2*calls)), UserID: "u", EventType: kind, Timestamp: at}
		}
		a, b := whole.Step(in), restored.Step(in)
		most = max(most, whole.Known())
		if a.Save != b.Save || len(a.Outputs) != len(b.Outputs) {
			t.Fatalf("input %d: saved %t, %d outputs; restored: %t, %d", in.Seq, a.Save, len(a.Outputs), b.Save, len(b.Outputs))
		}
		if !a.Save && n%997 != 0 {
			continue
		}
		saves++
		want, err := whole.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		got, err := restored.Snapshot()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("input %d: the snapshots differ (%v)", in.Seq, err)
		}
		if restored, _, err = Restore(call.DefaultLimits(), got); err != nil {
			t.Fatal(err)
		}
	}
	if saves < 50 || most < 4*saveWeight || whole.Known() != 0 {
		t.Errorf("%d snapshots of up to %d calls, %d in the end: too little happened", saves, most, whole.Known())
	}
}

// A state of many calls is saved less often, and again as often as before when
// they are forgotten.
func TestSnapshotsOfManyCallsAreFurtherApart(t *testing.T) {
	f := New(call.DefaultLimits())
	seq, at := uint64(0), start
	saved := func(messages int, each func(n int) *event.Raw) (n int) {
		for i := range messages {
			seq, at = seq+1, at.Add(time.Millisecond)
			if f.Step(Input{Seq: seq, Stored: at, Raw: each(i)}).Save {
				n++
			}
		}
		return n
	}
	rings := func(n int) *event.Raw {
		return &event.Raw{ID: fmt.Sprint("e", n), CallID: fmt.Sprint("c", n), UserID: "u", EventType: "UserCallInUserAllocated", Timestamp: at}
	}
	nothing := func(int) *event.Raw { return nil }
	const calls = 16 * saveWeight
	saved(calls, rings)
	many := saved(16*saveEvery, nothing)
	at = at.Add(time.Hour)
	saved(1, nothing) // the limits fire
	at = at.Add(time.Hour)
	saved(1, nothing)
	if few := saved(16*saveEvery, nothing); f.Known() != 0 || many != 1 || few < 16 {
		t.Errorf("%d snapshots of %d calls, then %d of %d", many, calls, few, f.Known())
	}
}

func TestGapIsStampedOnTheCallsThatWereOpen(t *testing.T) {
	beat := func(seq uint64, at time.Duration, live bool) Input {
		t := start.Add(at)
		return Input{Seq: seq, Stored: t, Feed: &event.Feed{Instance: "a", Type: event.Heartbeat, Live: live, At: t}}
	}
	raw := func(seq uint64, at time.Duration, callID, kind string) Input {
		t := start.Add(at)
		return Input{Seq: seq, Stored: t, Raw: &event.Raw{ID: fmt.Sprint(seq), CallID: callID, UserID: "u", EntityType: "User", EventType: kind, Timestamp: t}}
	}
	f := New(call.DefaultLimits())
	coverages := map[string]event.Coverage{}
	for _, in := range []Input{
		beat(1, 0, true), raw(2, time.Second, "before", "UserCallInUserAllocated"), beat(3, time.Second, true),
		beat(4, 2*time.Second, false), beat(5, 6*time.Second, false), beat(6, 7*time.Second, true),
		raw(7, 8*time.Second, "after", "UserCallInUserAllocated"), beat(8, 9*time.Second, true),
		raw(9, 10*time.Second, "before", "UserCallInUserConnected"), raw(10, 11*time.Second, "after", "UserCallInUserConnected"),
	} {
		for _, o := range f.Step(in).Outputs {
			coverages[o.Call.CallID+" "+string(o.Call.Type)] = o.Call.Coverage
		}
	}
	want := map[string]event.Coverage{"before incoming": event.Complete, "before answered": event.Gap, "after incoming": event.Complete, "after answered": event.Complete}
	if fmt.Sprint(coverages) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", coverages, want)
	}
}

// A snapshot comes with so many inputs, however fast they come, and with so much
// of the stream's time, however few.
func TestSnapshotsComeByCountAndByClock(t *testing.T) {
	for name, c := range map[string]struct {
		inputs, saves int
		every         time.Duration
	}{
		"by count": {inputs: 3 * saveEvery, saves: 3, every: 0},
		"by clock": {inputs: 10 * 30, saves: 9, every: saveInterval / 30},
		"by both":  {inputs: saveEvery + 1, saves: 2, every: saveInterval / (saveEvery - 10)},
	} {
		f := New(call.DefaultLimits())
		saves := 0
		for i := range c.inputs {
			if f.Step(Input{Seq: uint64(i + 1), Stored: start.Add(time.Duration(i) * c.every)}).Save {
				saves++
			}
		}
		if saves != c.saves {
			t.Errorf("%s: %d snapshots, want %d", name, saves, c.saves)
		}
	}
}
