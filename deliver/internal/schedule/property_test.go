package schedule_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// who is the mapping of the world below: two users are one negotiator, one is none.
var who = map[string]string{"u1": "N1", "u2": "N1", "u3": "N2", "u4": "N3", "u5": ""}

var limits = schedule.Deadlines{
	event.Incoming: 30 * time.Second, event.Answered: 2 * time.Minute, event.Ended: 10 * time.Minute, event.Missed: 24 * time.Hour,
}

// world drives a schedule the way the engine does, with crashes, and keeps its
// own account of what may happen.
type world struct {
	*rapid.T
	s      *schedule.Schedule
	now    time.Time
	stream []event.Call // CALLS, with repeats
	read   int          // how much of it was offered in this term
	log    []entry      // DELIVERIES
	saved  checkpoint

	flying  map[string]schedule.Request
	policy  schedule.Policy
	sent    map[string]uint64 // newest position sent in this term, by lane
	wait    map[string]time.Time
	pauses  time.Time
	slots   int
	lastSeq map[string]int

	blind   bool // the negotiators are not known
	blinded bool // or were not at some time

	doubt   map[string]bool   // lanes whose call is perhaps shown, for all that the schedule must know
	doubts  map[string]bool   // lanes of which it may believe that
	tried   map[string]bool   // deliveries that are perhaps shown
	flew    map[string]string // lanes of the deliveries that were under way, show a call, and were not told to have failed for certain
	cut     map[string]bool   // those of them that a crash cut off: what is told of a later attempt says nothing of that one
	crashed bool

	stored   int // entries that no crash can lose
	doubtful int // how much of the stream a term that crashed had read
}

type entry struct {
	schedule.Recorded
	kind   event.CallType
	reason string
}

type checkpoint struct {
	data      []byte
	read, log int
	doubt     map[string]bool
}

func TestEveryDeliveryEndsOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{
			T: rt, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), slots: rapid.IntRange(1, 5).Draw(rt, "slots"),
			lastSeq: map[string]int{}, doubt: map[string]bool{}, doubts: map[string]bool{}, tried: map[string]bool{}, flew: map[string]string{}, cut: map[string]bool{},
		}
		w.policy = schedule.Policy{Deadlines: limits, Group: rapid.Bool().Draw(rt, "group")}
		w.s = schedule.New(w.policy)
		w.begin()
		rt.Repeat(map[string]func(*rapid.T){
			"event":   func(t *rapid.T) { w.T = t; w.happen() },
			"repeat":  func(t *rapid.T) { w.T = t; w.repeat() },
			"offer":   func(t *rapid.T) { w.T = t; w.offer(1) },
			"elapse":  func(t *rapid.T) { w.T = t; w.elapse() },
			"next":    func(t *rapid.T) { w.T = t; w.next() },
			"result":  func(t *rapid.T) { w.T = t; w.result(verdicts) },
			"save":    func(t *rapid.T) { w.T = t; w.save() },
			"crash":   func(t *rapid.T) { w.T = t; w.crash() },
			"blind":   func(t *rapid.T) { w.T = t; w.blind, w.blinded = true, true },
			"see":     func(t *rapid.T) { w.T = t; w.see() },
			"success": func(t *rapid.T) { w.T = t; w.result([]delivery.Action{delivery.Deliver}) },
		})
		w.T = rt
		w.drain()
		w.account()
	})
}

func (w *world) begin() {
	w.flying, w.sent, w.wait, w.pauses = map[string]schedule.Request{}, map[string]uint64{}, map[string]time.Time{}, time.Time{}
}

func (w *world) happen() {
	call := rapid.SampledFrom([]string{"c1", "c2", "c3"}).Draw(w.T, "call")
	w.lastSeq[call]++
	c := event.Call{
		CallID: call, Type: rapid.SampledFrom([]event.CallType{event.Incoming, event.Incoming, event.Answered, event.Ended, event.Missed, event.Held}).Draw(w.T, "type"),
		Direction: event.Inbound, OccurredAt: w.now.Add(-time.Duration(rapid.IntRange(0, 40).Draw(w.T, "age")) * time.Second), Sequence: w.lastSeq[call],
	}
	users := slices.Sorted(maps.Keys(who))
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(users), 1, 4, rapid.ID[string]).Draw(w.T, "audience") {
		c.Audience = append(c.Audience, event.User{UserID: id})
	}
	if c.Type == event.Answered || c.Type == event.Ended {
		c.AnsweredBy = &event.User{UserID: rapid.SampledFrom(users).Draw(w.T, "by")}
	}
	w.stream = append(w.stream, c)
}

func (w *world) repeat() {
	if len(w.stream) == 0 {
		w.Skip("nothing to repeat")
	}
	from := max(0, len(w.stream)-5)
	w.stream = append(w.stream, w.stream[rapid.IntRange(from, len(w.stream)-1).Draw(w.T, "again")])
}

// see has the negotiators known again, and what waits for them is offered.
func (w *world) see() {
	w.blind = false
	for _, o := range w.s.Known("", w.now) {
		w.resolve(o)
	}
}

func (w *world) resolve(o schedule.Offer) {
	if w.blind {
		w.s.Await(o)
		return
	}
	for _, u := range o.Call.Audience {
		o.Audience = append(o.Audience, schedule.Member{User: u, Negotiator: who[u.UserID], Reason: "unknown"})
	}
	if o.Call.AnsweredBy != nil {
		o.AnsweredBy = who[o.Call.AnsweredBy.UserID]
	}
	w.record(w.s.Offer(o))
}

func (w *world) offer(n int) {
	if !w.blind {
		w.see()
	}
	for ; n > 0 && w.read < len(w.stream); n-- {
		c := w.stream[w.read]
		w.read++
		o := schedule.Offer{Call: c, Position: uint64(w.read), Received: w.now, Customer: customerOf(c), Doubt: w.read <= w.doubtful, Now: w.now}
		w.began(c)
		w.resolve(o)
	}
}

// began notes whose call rang before the stream begins: it is perhaps shown.
func (w *world) began(c event.Call) {
	if c.Type != event.Answered && c.Type != event.Ended {
		return
	}
	for _, u := range c.Audience {
		in := who[u.UserID] + " in " + c.CallID
		earlier := func(x event.Call) bool {
			return x.CallID == c.CallID && schedule.Wanted(x) && slices.ContainsFunc(x.Audience, func(y event.User) bool { return who[y.UserID] == who[u.UserID] })
		}
		if !slices.ContainsFunc(w.stream[:w.read-1], earlier) {
			w.doubts[in] = true
			w.doubt[in] = w.doubt[in] || !w.crashed // otherwise the closing may be known already
		}
	}
}

func (w *world) record(records []schedule.Record) {
	records = slices.SortedFunc(slices.Values(records), func(a, b schedule.Record) int { return cmp.Compare(a.Delivery.Position, b.Delivery.Position) })
	for _, r := range records {
		if w.flies(r.Delivery) {
			w.Fatalf("%s ended while it was under way: %s", r.Delivery.ID(), r.Reason)
		}
		if r.Delivery.Call.Type == event.Missed && r.Outcome == event.Superseded {
			w.Fatalf("a missed call was superseded: %s", r.Reason)
		}
		if w.doubt[lane(r.Delivery)] && !w.mixed(r.Delivery) && r.Outcome == event.Superseded && r.Reason == "the incoming call was never shown" {
			w.Fatalf("%s is not sent, but the call is perhaps shown", r.Delivery.ID())
		}
		if over := r.Outcome == event.Superseded || r.Outcome == event.Expired; over && !slices.Contains(event.Causes(r.Outcome), r.Cause) {
			w.Fatalf("%s is %s by %q: %s", r.Delivery.ID(), r.Outcome, r.Cause, r.Reason)
		}
		e := entry{schedule.Recorded{
			EventID: r.Delivery.Call.EventID(), CallID: r.Delivery.Call.CallID, Negotiator: r.Delivery.Negotiator, Users: r.Delivery.Users, Outcome: r.Outcome, Cause: r.Cause, At: r.At,
			Perhaps: w.tried[r.Delivery.ID()],
		}, r.Delivery.Call.Type, r.Reason}
		w.log = append(w.log, e)
		if r.Outcome == event.Unmapped {
			w.passed(e)
		}
		if e.closes() {
			w.settled(lane(r.Delivery))
		}
	}
}

// passed notes whom an event went by who was not known in time: a lane that
// begins behind it is perhaps shown, for another of the negotiator's users; and
// it must be believed if the event was under way before a crash.
func (w *world) passed(e entry) {
	id, in := e.meant()
	w.doubts[in] = true
	w.doubt[in] = w.doubt[in] || w.flew[id] != ""
}

// meant is the delivery, and its lane, that an unmapped one would have been.
func (e entry) meant() (id, lane string) {
	negotiator := who[e.Users[0].UserID]
	return e.EventID + "/" + negotiator, negotiator + " in " + e.CallID
}

// mixed reports whether one of two users of the negotiator may have been known
// and the other not, at different times: then nobody can say who was still in
// the call.
func (w *world) mixed(d schedule.Delivery) bool {
	return w.crashed && w.blinded && d.Negotiator == "N1"
}

// closes reports whether a life of the call ends with the entry.
func (e entry) closes() bool {
	return (e.kind == event.Ended || e.kind == event.Missed) && e.reason != "another user of this negotiator is still in the call"
}

func (w *world) settled(lane string) {
	delete(w.doubt, lane)
	if !w.crashed { // then the closing may be lost and come again
		delete(w.doubts, lane)
	}
}

// suspect keeps in mind that Reapit may have shown a call.
func (w *world) suspect(d schedule.Delivery) {
	if shows(d) {
		w.doubt[lane(d)], w.doubts[lane(d)], w.tried[d.ID()] = true, true, true
	}
}

func shows(d schedule.Delivery) bool {
	return d.Call.Type == event.Incoming || d.Call.Type == event.Answered && d.AnsweredBy == d.Negotiator
}

func (w *world) elapse() {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{10, 300, 2000, 20_000, 200_000}).Draw(w.T, "ms")) * time.Millisecond)
}

func (w *world) next() {
	w.offer(len(w.stream)) // the engine never sends before it has caught up
	room := schedule.Room{Slots: w.slots, Rate: 100}
	if rapid.Bool().Draw(w.T, "tight") {
		room.Rate, room.Spare, room.Live = rapid.IntRange(0, 4).Draw(w.T, "rate"), rapid.IntRange(0, 2).Draw(w.T, "spare"), rapid.Bool().Draw(w.T, "live")
	}
	p := w.s.Next(w.now, room)
	w.record(p.Record)
	w.goesOn(room, p)
	w.fits(room, p.Send)
	if !w.launch(p) {
		return
	}
	if w.slots > 1 && len(p.Send) > 0 && canWait(p.Send[len(p.Send)-1]) && len(w.flying) == w.slots {
		w.Fatalf("the last slot is taken by what can wait")
	}
	if len(w.flying) > w.slots {
		w.Fatalf("%d under way, %d allowed", len(w.flying), w.slots)
	}
	w.notCrowded()
}

// launch sends what waits for nothing, then, unless a crash comes before, what
// waits for the records.
func (w *world) launch(p schedule.Plan) (all bool) {
	w.send(p, false)
	if !slices.Contains(p.Behind, true) {
		return true
	}
	if rapid.IntRange(0, 9).Draw(w.T, "cut short") == 0 {
		w.crash()
		return false
	}
	w.stored = len(w.log)
	w.send(p, true)
	return true
}

func (w *world) send(p schedule.Plan, behind bool) {
	for i, q := range p.Send {
		if p.Behind[i] != behind {
			continue
		}
		w.together(q)
		for _, d := range q {
			w.mayGo(d)
			if shows(d) {
				w.flew[d.ID()] = lane(d)
			}
			w.sent[lane(d)] = d.Position
		}
		w.flying[q.ID()] = q
	}
}

func customerOf(c event.Call) string {
	if c.CallID == "c3" {
		return "RES"
	}
	return "SBOX"
}

func canWait(q schedule.Request) bool {
	return q[0].Call.Type == event.Ended || q[0].Call.Type == event.Missed
}

// goesOn: the agenda is as it says, nothing is due at once again, and what waits
// with nothing under way is due at some time.
func (w *world) goesOn(room schedule.Room, p schedule.Plan) {
	if err := w.s.Sound(); err != nil {
		w.Fatal(err)
	}
	if !p.Due.IsZero() && !p.Due.After(w.now) {
		w.Fatalf("due again at %s, and it is %s", p.Due, w.now)
	}
	if room.Rate > room.Spare && w.s.Flying() == 0 && p.Waiting > 0 && p.Due.IsZero() {
		w.Fatalf("%d wait for nothing", p.Waiting)
	}
}

// fits: what can wait leaves alone what is kept for others.
func (w *world) fits(room schedule.Room, sent []schedule.Request) {
	patient := len(slices.DeleteFunc(slices.Clone(sent), func(q schedule.Request) bool { return !canWait(q) }))
	if len(sent) > room.Rate || patient > max(0, room.Rate-room.Spare) || room.Live && patient > 0 {
		w.Fatalf("%d sent, of which %d can wait, into %+v", len(sent), patient, room)
	}
}

// together: one request is one event, and nobody twice.
func (w *world) together(q schedule.Request) {
	if len(q) > 1 && !w.policy.Group {
		w.Fatalf("%d in one request", len(q))
	}
	seen := map[string]bool{}
	for _, d := range q {
		if d.Position != q[0].Position || d.Customer != q[0].Customer || seen[d.Negotiator] || len(q) > 1 && d.Alone {
			w.Fatalf("%s does not go with %s", d.ID(), q[0].ID())
		}
		seen[d.Negotiator] = true
	}
}

// notCrowded: nobody's requests take all slots.
func (w *world) notCrowded() {
	under := map[string]int{}
	for _, q := range w.flying {
		for _, d := range q {
			under[d.Customer+" "+d.Negotiator]++
		}
	}
	for who, n := range under {
		if n > max(w.slots/2, 1) {
			w.Fatalf("%d requests for %s under way with %d slots", n, who, w.slots)
		}
	}
}

func (w *world) flies(d schedule.Delivery) bool {
	for _, q := range w.flying {
		if slices.ContainsFunc(q, func(x schedule.Delivery) bool { return x.ID() == d.ID() }) {
			return true
		}
	}
	return false
}

func lane(d schedule.Delivery) string { return d.Negotiator + " in " + d.Call.CallID }

func (w *world) mayGo(d schedule.Delivery) {
	for _, q := range w.flying {
		if slices.ContainsFunc(q, func(x schedule.Delivery) bool { return lane(x) == lane(d) }) {
			w.Fatalf("two under way for %s", lane(d))
		}
	}
	switch {
	case w.unstored(d):
		w.Fatalf("%s goes out although a crash may lose what was delivered before it, and it would be repeated behind it", d.ID())
	case d.Position < w.sent[lane(d)]:
		w.Fatalf("%s goes out behind a later event", d.ID())
	case !w.now.Before(d.Call.OccurredAt.Add(limits[d.Call.Type])):
		w.Fatalf("%s goes out late", d.ID())
	case w.now.Before(w.wait[d.ID()]):
		w.Fatalf("%s goes out before its time", d.ID())
	case w.now.Before(w.pauses):
		w.Fatalf("%s goes out during the pause", d.ID())
	case d.Call.Type == event.Missed, d.Call.Type == event.Answered && d.AnsweredBy == d.Negotiator:
	case d.Call.Type == event.Incoming:
		w.mayRing(d)
	default:
		anything := w.crashed && w.blinded // any lane of the call may be in doubt then
		if !w.shown(d) && !w.doubts[lane(d)] && !anything {
			w.Fatalf("%s %s tells of a call that was never shown", d.Call.Type, d.ID())
		}
	}
}

// unstored reports whether a crash may lose that something before it in its
// lane was delivered.
func (w *world) unstored(d schedule.Delivery) bool {
	return slices.ContainsFunc(w.log[w.stored:], func(e entry) bool {
		return e.CallID == d.Call.CallID && e.Negotiator == d.Negotiator && e.Outcome == event.Delivered
	})
}

// mayRing: no call is shown that is known to be over.
func (w *world) mayRing(d schedule.Delivery) {
	open := map[string]bool{}
	for i, c := range w.stream[:w.read] {
		if c.CallID != d.Call.CallID || uint64(i) < d.Position-1 || slices.ContainsFunc(w.stream[:i], same(c)) {
			continue
		}
		for _, u := range c.Audience {
			if who[u.UserID] != d.Negotiator {
				continue
			}
			switch c.Type {
			case event.Incoming:
				open[u.UserID] = true
			case event.Missed:
				w.Fatalf("%s rings after the call was missed", d.ID())
			}
		}
	}
}

func same(c event.Call) func(event.Call) bool {
	return func(x event.Call) bool { return x.EventID() == c.EventID() }
}

// shown looks whether the log has, since the last closing of the lane, an
// incoming or an own answer that was delivered.
func (w *world) shown(d schedule.Delivery) bool {
	for i := len(w.log) - 1; i >= 0; i-- {
		e := w.log[i]
		if e.CallID == d.Call.CallID && e.Negotiator == d.Negotiator && e.Outcome == event.Delivered {
			return e.kind == event.Incoming || e.kind == event.Answered
		}
	}
	return false
}
