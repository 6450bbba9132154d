package e2e

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ringstream/schemas/event"
)

// The plan of a run of deliver: which calls there are, drawn from a seed.

// office is users of one organization, who are negotiators of one customer.
type office struct {
	organization, customer string
	staff                  []event.User
}

// newOffice is the n-th; its n-th user is negotiator N<n>, by the address.
func newOffice(n int, customer string, size int) office {
	o := office{organization: fmt.Sprintf("29f60000-0000-4000-8000-%012d", n), customer: customer}
	for i := range size {
		o.staff = append(o.staff, event.User{
			UserID: fmt.Sprintf("aa97%04d-0000-4000-8000-%012d", n, i+1), UserName: fmt.Sprintf("n%02d@office%d.example", i+1, n),
		})
	}
	return o
}

// stranger takes calls and is no negotiator.
func (o office) stranger() event.User {
	return event.User{UserID: "bb11" + o.staff[0].UserID[4:], UserName: "stranger@" + o.staff[0].UserName[4:]}
}

// negotiatorOf is who a user is to Reapit; nobody for the stranger.
func (o office) negotiatorOf(userID string) string {
	if i := slices.IndexFunc(o.staff, func(u event.User) bool { return u.UserID == userID }); i >= 0 {
		return negotiatorName(i)
	}
	return ""
}

func negotiatorName(i int) string { return fmt.Sprintf("N%02d", i+1) }

// cue is one call event of the plan and when to say it.
type cue struct {
	at   time.Duration
	call event.Call // without its times
}

// mix is what kinds of calls there are.
type mix struct {
	perSecond float64 // notifications, on average
	group     int     // for how many a hunt group rings
	direct    float64 // part of the calls that ring for one only
	missed    float64 // part of the calls that nobody answers
	quick     float64 // part of the calls that are over as soon as they are answered
	strangers float64 // part of the calls that also ring for somebody who is no negotiator
	ring      [2]time.Duration
	talk      [2]time.Duration
}

// cues are those of all calls that begin within the span, in the order of their times.
func (m mix) cues(random *rand.Rand, span time.Duration, o office) (all []cue) {
	told, rate := 0, m.perSecond/float64(time.Second)
	kinds := [3]float64{random.Float64(), random.Float64(), random.Float64()}
	for {
		begins := time.Duration(float64(told)/rate + random.Float64()*float64(50*time.Millisecond))
		if begins >= span {
			slices.SortStableFunc(all, func(a, b cue) int { return int(a.at - b.at) })
			return all
		}
		for i, step := range [3]float64{math.Phi, math.Sqrt2, math.E} { // evenly, so that every kind is in few calls, too
			kinds[i] = math.Mod(kinds[i]+step, 1)
		}
		call := m.call(random, o, begins, kinds)
		for _, c := range call {
			told += len(c.call.Audience)
		}
		all = append(all, call...)
	}
}

// call is the events of one; kinds, each 0 to 1, say which kind of call it is.
func (m mix) call(random *rand.Rand, o office, begins time.Duration, kinds [3]float64) []cue {
	first := event.Call{
		CallID: drawnID(random), OrganizationID: o.organization, Direction: event.Inbound, Coverage: event.Complete,
		Caller: fmt.Sprintf("+4477009%05d", random.IntN(100_000)), Called: "+442071838750",
	}
	first.Audience = append(first.Audience, o.staff...)
	random.Shuffle(len(first.Audience), func(i, j int) {
		first.Audience[i], first.Audience[j] = first.Audience[j], first.Audience[i]
	})
	first.Audience = first.Audience[:m.group]
	if kinds[1] < m.direct {
		first.Audience = first.Audience[:1]
	}
	first.HuntGroup = len(first.Audience) > 1
	if kinds[2] < m.strangers {
		first.Audience = append(first.Audience, o.stranger())
	}
	tale := teller{call: first, at: begins}
	ring, talk := drawnFrom(random, m.ring), drawnFrom(random, m.talk)
	who := first.Audience[0]
	tale.tell(event.Incoming, 0)
	switch kind := kinds[0]; {
	case kind < m.missed:
		tale.tell(event.Missed, ring)
		return tale.told
	case kind < m.missed+m.quick:
		ring, talk = time.Second, 500*time.Millisecond
	}
	tale.call.AnsweredBy = &who
	tale.tell(event.Answered, ring)
	tale.tell(event.Ended, talk)
	return tale.told
}

// teller writes down the events of one call.
type teller struct {
	call event.Call
	at   time.Duration
	told []cue
}

func (s *teller) tell(kind event.CallType, later time.Duration) {
	s.at += later
	s.call.Type, s.call.Sequence = kind, s.call.Sequence+1
	s.call.Cause = event.Cause{EventID: s.call.CallID + "-" + strconv.Itoa(s.call.Sequence), EventType: "planned"}
	s.told = append(s.told, cue{s.at, s.call})
}

func drawnFrom(random *rand.Rand, bounds [2]time.Duration) time.Duration {
	return bounds[0] + time.Duration(random.Int64N(int64(bounds[1]-bounds[0]+1)))
}

func drawnID(random *rand.Rand) string {
	h := hex.EncodeToString(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, random.Uint64()), random.Uint64()))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

// notifications is how many deliveries the cues ask for.
func notifications(cues []cue) (n int) {
	for _, c := range cues {
		n += len(c.call.Audience)
	}
	return n
}
