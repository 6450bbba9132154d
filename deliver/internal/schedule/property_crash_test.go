package schedule_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

var verdicts = []delivery.Action{
	delivery.Deliver, delivery.Retry, delivery.Pause, delivery.Refresh, delivery.Park, delivery.Reject, delivery.Bury, delivery.Resume,
}

func (w *world) result(from []delivery.Action) {
	if len(w.flying) == 0 {
		w.Skip("nothing under way")
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(w.flying))).Draw(w.T, "which")
	v := delivery.Verdict{Action: rapid.SampledFrom(from).Draw(w.T, "verdict"), Reason: "drawn"}
	if len(w.flying[id]) > 1 && (v.Action == delivery.Reject || v.Action == delivery.Bury) {
		v.Action = delivery.Split
	}
	v.Wait = time.Duration(rapid.IntRange(0, 5000).Draw(w.T, "wait")) * time.Millisecond
	v.Hold = v.Wait / 2
	v.Perhaps = v.Action != delivery.Deliver && rapid.Bool().Draw(w.T, "perhaps")
	v.Late = v.Action == delivery.Retry && rapid.IntRange(0, 5).Draw(w.T, "late") == 0
	v.Slot = time.Duration(rapid.SampledFrom([]int{0, 0, 30}).Draw(w.T, "slot")) * time.Second
	for _, d := range w.flying[id] {
		w.came(d, v)
	}
	delete(w.flying, id)
	if v.Action == delivery.Pause && w.now.Add(v.Hold).After(w.pauses) {
		w.pauses = w.now.Add(v.Hold)
	}
	w.record(w.s.Result(schedule.Report{ID: id, Verdict: v, Posted: true, Started: w.now, Now: w.now}))
}

// came notes what is known of a delivery after an attempt.
func (w *world) came(d schedule.Delivery, v delivery.Verdict) {
	switch {
	case v.Perhaps:
		w.suspect(d)
	case v.Action != delivery.Deliver && !w.cut[d.ID()]:
		delete(w.flew, d.ID())
	}
	w.wait[d.ID()] = w.now.Add(v.Wait)
}

func (w *world) save() {
	data, err := w.s.Saved()
	if err != nil {
		w.Fatal(err)
	}
	w.saved = checkpoint{data, w.read, len(w.log), maps.Clone(w.doubt)}
	for _, q := range w.flying {
		for _, d := range q {
			if shows(d) {
				w.saved.doubt[lane(d)], w.doubts[lane(d)] = true, true
			}
		}
	}
}

// crash loses what was under way and the newest records, and starts over from
// the checkpoint, the log and the stream.
func (w *world) crash() {
	for id := range w.flew {
		w.cut[id] = true
	}
	w.log = w.log[:max(w.saved.log, w.stored, len(w.log)-rapid.IntRange(0, 8).Draw(w.T, "lost"))]
	w.stored, w.doubtful = len(w.log), max(w.doubtful, w.read)
	w.s, w.read = schedule.New(w.policy), w.saved.read
	if w.saved.data != nil {
		var err error
		if w.s, err = schedule.Load(w.policy, w.saved.data); err != nil {
			w.Fatal(err)
		}
	}
	w.begin()
	w.blind = rapid.Bool().Draw(w.T, "blind")
	w.blinded = w.blinded || w.blind
	w.crashed, w.doubt = true, maps.Clone(w.saved.doubt)
	if w.doubt == nil {
		w.doubt = map[string]bool{}
	}
	for _, e := range w.log[w.saved.log:] {
		w.relive(e)
	}
	w.suspectAll()
	for _, e := range slices.Clone(w.log[w.saved.log:]) {
		w.record(w.s.Settle(e.Recorded, w.now))
	}
	w.s.Doubt()
	w.save() // as every term begins
}

// suspectAll keeps in mind what the crash leaves in doubt: it must be believed
// of what was ever under way and has no outcome, and may be of whatever was
// not certain when the state was saved.
func (w *world) suspectAll() {
	ended := map[string]int{}
	for i, e := range w.log {
		ended[e.id()] = i + 1
		if e.Outcome == event.Unmapped {
			id, _ := e.meant()
			ended[id] = i + 1
		}
	}
	for id, in := range w.flew {
		if ended[id] == 0 {
			w.doubt[in], w.doubts[in] = true, true
		}
	}
	for _, c := range w.stream[:w.doubtful] {
		for _, u := range c.Audience {
			if at := ended[c.EventID()+"/"+who[u.UserID]]; at == 0 || at > w.saved.log {
				w.doubts[who[u.UserID]+" in "+c.CallID] = true
			}
		}
	}
}

func (e entry) id() string {
	return event.Outcome{EventID: e.EventID, NegotiatorID: e.Negotiator, Users: e.Users}.ID()
}

// relive draws from an entry that outlived a crash what its record drew.
func (w *world) relive(e entry) {
	in := e.Negotiator + " in " + e.CallID
	switch {
	case e.Perhaps, w.flew[e.id()] != "" && e.Outcome == event.Superseded:
		w.doubt[in], w.doubts[in] = true, true
	case e.Outcome == event.Unmapped:
		w.passed(e)
	case e.closes():
		delete(w.doubt, in)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (w *world) drain() {
	for range 10_000 {
		w.next()
		if len(w.flying) == 0 && w.read == len(w.stream) {
			p := w.s.Next(w.now, schedule.Room{Slots: w.slots})
			if p.Due.IsZero() && p.Waiting == 0 {
				return
			}
			w.now = later(w.now.Add(50*time.Millisecond), p.Due)
			continue
		}
		for len(w.flying) > 0 {
			w.result([]delivery.Action{delivery.Deliver})
		}
	}
	w.Fatal("never comes to rest")
}

// account: exactly one outcome for every event and user who was to have one.
func (w *world) account() {
	got := map[string]int{}
	for _, e := range w.log {
		for _, u := range e.Users {
			got[e.EventID+" "+u.UserID]++
		}
	}
	want := map[string]int{}
	for _, c := range w.stream {
		for _, u := range c.Audience {
			if schedule.Wanted(c) {
				want[c.EventID()+" "+u.UserID] = 1
			}
		}
	}
	if !maps.Equal(got, want) {
		w.Fatalf("outcomes\n%s\nwanted\n%s", fmt.Sprint(got), fmt.Sprint(want))
	}
}
