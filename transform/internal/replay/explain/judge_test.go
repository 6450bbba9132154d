package explain

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

var deadlines = Deadlines{Incoming: 30 * time.Second, Answered: 2 * time.Minute, Ended: 10 * time.Minute, Missed: 24 * time.Hour}

const ring = "+0s UserCallInComing jane\n+1s UserCallInUserAllocated jane\n"

// evidence is what the streams hold of a story, as it is known an hour later:
// CALLS has what the fold says, unless it is behind, and DELIVERIES the outcomes.
func evidence(t *testing.T, script string, behind bool, now time.Duration, outcomes ...event.Outcome) Evidence {
	t.Helper()
	lines, err := call.ReadStory(script)
	if err != nil {
		t.Fatal(err)
	}
	e := Evidence{Call: "c1", Now: call.StoryStart().Add(now)}
	for i, l := range lines {
		e.Raw = append(e.Raw, Heard{Seq: uint64(i + 1), Stored: l.Stored, Recorded: l.Stored, Raw: l.Raw})
	}
	e.Steps = Trace("c1", e.Raw, call.DefaultLimits(), e.Now)
	for _, s := range e.Steps {
		for _, c := range s.Told {
			c.RecordedAt = s.At
			e.Events = append(e.Events, Stored{Seq: uint64(len(e.Events) + 1), Stored: s.At, In: s.Seq, Call: c})
		}
	}
	if behind {
		e.Events = nil
	}
	for i, o := range outcomes {
		e.Outcomes = append(e.Outcomes, Ended{Seq: uint64(i + 1), Stored: o.FinishedAt, Outcome: o})
	}
	return e
}

// end is the outcome of the call's n-th event for jane, so long after the start.
func end(n string, outcome event.OutcomeType, after time.Duration, more ...func(*event.Outcome)) event.Outcome {
	kind := map[string]string{"c1/1": "incomingCall", "c1/2": "answeredCall", "c1/3": "endedCall"}[n]
	o := event.Outcome{
		EventID: n, CallID: "c1", Customer: "RES", NegotiatorID: "JAS", Users: []event.User{{UserID: "jane", UserName: "jane@agency.example"}},
		SubType: kind, Outcome: outcome, Attempts: 1, Status: 202, FinishedAt: call.StoryStart().Add(after),
	}
	for _, f := range more {
		f(&o)
	}
	return o
}

func why(cause, reason string, status, attempts int) func(*event.Outcome) {
	return func(o *event.Outcome) { o.Cause, o.Reason, o.Status, o.Attempts = cause, reason, status, attempts }
}

func TestJudge(t *testing.T) {
	nobody := func(o *event.Outcome) { o.NegotiatorID = "" }
	letter12 := func(e *Evidence) {
		e.Letters = []Letter{{Seq: 12, DeadLetter: event.DeadLetter{EventID: "c1/1", Customer: "RES", NegotiatorID: "JAS", Errors: []event.FieldError{{Field: "callerId", Message: "is no number"}}}}}
	}
	for _, tt := range []struct {
		name   string
		script string
		behind bool
		now    time.Duration // an hour unless given
		ends   []event.Outcome
		alter  func(*Evidence)
		cause  Cause
		says   string // what the sentence begins with
		check  string // what is among the things to check
	}{
		{
			name: "told", script: ring, ends: []event.Outcome{end("c1/1", event.Delivered, 1200*time.Millisecond)}, now: 10 * time.Second, cause: CauseTold,
			says: "Jane's screen (JAS) was told: Reapit accepted the incomingCall 200ms after it was heard (HTTP 202, 1 attempt), which is not to say that it was shown; if it was not, check there: JAS's login to AgencyCloud, and RES's configuration request", check: "logged in to AgencyCloud",
		},
		{
			name: "told, when somebody else had answered", script: ring + "+2s UserCallInUserConnected tom",
			ends: []event.Outcome{end("c1/1", event.Delivered, 5*time.Second), end("c1/3", event.Delivered, 5*time.Second)}, now: 10 * time.Second, cause: CauseTold,
			says: "Jane's screen (JAS) was told: Reapit accepted the incomingCall 4s after it was heard (HTTP 202, 1 attempt), which is not to say that it was shown; Tom had answered 3s before",
		},
		{
			name: "told, and somebody else answered", script: ring + "+4s UserCallInUserConnected tom",
			ends: []event.Outcome{end("c1/1", event.Delivered, 2*time.Second), end("c1/3", event.Delivered, 5*time.Second)}, now: 10 * time.Second, cause: CauseTold,
			says: "Jane's screen (JAS) was told: ", check: "Tom answered 2s later, and that ends the pop",
		},
		{
			name: "told again by redrive", script: ring, ends: []event.Outcome{
				end("c1/1", event.Rejected, 2*time.Second, why("rejected", "no", 422, 1)),
				end("c1/1", event.Delivered, 20*time.Second, func(o *event.Outcome) { o.Redrive = 1 }),
			}, now: 25 * time.Second, cause: CauseTold, says: "Jane's screen (JAS) was told: Reapit accepted the incomingCall 19s after it was heard (HTTP 202, 1 attempt), which is not to say that it was shown, as a dead letter sent again",
		},
		{
			name: "told of the ring alone", script: ring + "+2s UserCallInUserConnected jane\n", ends: []event.Outcome{
				end("c1/1", event.Delivered, 2*time.Second), end("c1/2", event.Rejected, 3*time.Second, why("rejected", "Reapit found the notification invalid", 422, 1)),
			}, now: 10 * time.Second, cause: CauseInPart, says: "Jane's screen (JAS) was told of the ring, but not of what followed: Reapit refused its answeredCall for good (HTTP 422, 1 attempt): Reapit found",
		},
		{
			name: "told of the ring, and the answer is under way", script: ring + "+2s UserCallInUserConnected jane\n", ends: []event.Outcome{end("c1/1", event.Delivered, 2*time.Second)},
			now: 3 * time.Second, cause: CauseTold, says: "Jane's screen (JAS) was told: ",
		},
		{
			name: "shadowed", script: ring, ends: []event.Outcome{end("c1/1", event.Shadowed, 2*time.Second)}, cause: CauseShadowed,
			says: "Jane's screen (JAS) was not told: deliver ran as a shadow (DELIVER_SHADOW)", check: "DELIVER_SHADOW=false",
		},
		{
			name: "expired: late", script: ring, ends: []event.Outcome{end("c1/1", event.Expired, 43*time.Second, why("late", "not delivered within 30s", 0, 0))}, cause: "expired-late",
			says: "Jane's screen (JAS) was not told: its incomingCall expired 42s after it was heard, 12s past its deadline of 30s: it came to deliver too late (0 attempts; not delivered within 30s)", check: "ringstream_transform_lag_seconds",
		},
		{
			name: "expired: throttled", script: ring, ends: []event.Outcome{
				end("c1/1", event.Expired, 31*time.Second, why("limits", "not delivered within 30s; after 4 attempts: Reapit's limits are reached", 429, 4)),
			}, cause: "expired-limits",
			says: "Jane's screen (JAS) was not told: its incomingCall expired 30s after it was heard, since it could not be tried again within its deadline of 30s: it was throttled by Reapit's limits (429)", check: "ringstream_deliver_paused_seconds",
		},
		{
			name: "expired: the customer is parked", script: ring, ends: []event.Outcome{
				end("c1/1", event.Expired, 31*time.Second, why("parked", "not delivered within 30s; Reapit refuses the customer: scope", 403, 1)),
			}, cause: "expired-parked", says: "Jane's screen (JAS) was not told: its incomingCall expired 30s after it was heard", check: "ringstream_deliver_parked",
		},
		{
			name: "expired: Reapit in trouble", script: ring, ends: []event.Outcome{
				end("c1/1", event.Expired, 31*time.Second, why("trouble", "not delivered within 30s; after 5 attempts: Reapit is in trouble", 503, 5)),
			}, cause: "expired-trouble", says: "Jane's screen (JAS) was not told: its incomingCall expired", check: "status page",
		},
		{
			name: "expired, of before there were causes", script: ring, ends: []event.Outcome{end("c1/1", event.Expired, 31*time.Second, why("", "", 503, 5))}, cause: "expired",
			says: "Jane's screen (JAS) was not told: its incomingCall expired 30s after it was heard (HTTP 503 was the last answer to 5 attempts; )",
		},
		{
			name: "superseded", script: ring, ends: []event.Outcome{end("c1/1", event.Superseded, 5*time.Second, why("answered-elsewhere", "somebody else answered first", 0, 0))}, cause: "superseded-answered-elsewhere",
			says: "Jane's screen (JAS) was not told: its incomingCall was overtaken before it could be sent: somebody else answered first", check: "meant to be",
		},
		{
			name: "superseded by another user of the negotiator", script: ring, ends: []event.Outcome{
				end("c1/9", event.Delivered, 2*time.Second, func(o *event.Outcome) {
					o.Users, o.SubType = []event.User{{UserID: "tom", UserName: "tom@agency.example"}}, "incomingCall"
				}),
				end("c1/1", event.Superseded, 2*time.Second, why("same-negotiator", "another user of this negotiator already brought it", 0, 0)),
			}, cause: CauseTold, says: "Jane's screen (JAS) was told: the incomingCall of Tom, who is the same negotiator, brought it",
		},
		{
			name: "unmapped", script: ring, ends: []event.Outcome{
				end("c1/1", event.Unmapped, 2*time.Second, nobody, why("nobody", "no active negotiator has the user's e-mail address", 0, 0)),
			}, cause: "unmapped-nobody",
			says: "Jane's screen was not told: jane@agency.example is no negotiator of Reapit's: no active negotiator has the user's e-mail address", check: "NEGOTIATOR_OVERRIDES",
		},
		{
			name: "rejected", script: ring, ends: []event.Outcome{end("c1/1", event.Rejected, 2*time.Second, why("rejected", "Reapit found the notification invalid (HTTP 422)", 422, 1))},
			alter: letter12, now: 5 * time.Second, cause: "rejected",
			says: "Jane's screen (JAS) was not told: Reapit refused its incomingCall for good (HTTP 422, 1 attempt): Reapit found the notification invalid (HTTP 422); in its words: callerId: is no number; it is dead letter 12", check: "deliver deadletters show 12; when the reason is gone: deliver deadletters redrive 12",
		},
		{
			name: "rejected, and the deadline has passed", script: ring, ends: []event.Outcome{end("c1/1", event.Rejected, 2*time.Second, why("rejected", "no", 422, 1))},
			alter: letter12, now: time.Minute, cause: "rejected", says: "Jane's screen (JAS) was not told: Reapit refused",
			check: "deliver deadletters show 12; its deadline of 30s has passed, so it is not sent again",
		},
		{
			name: "rejected, and the call is over", script: ring + "+3s UserCallInDisconnected jane\n", ends: []event.Outcome{end("c1/1", event.Rejected, 2*time.Second, why("rejected", "no", 422, 1))},
			alter: letter12, now: 5 * time.Second, cause: "rejected", says: "Jane's screen (JAS) was not told: Reapit refused",
			check: "deliver deadletters show 12; the call went on (missed), so it is not sent again",
		},
		{
			name: "dead, and its letter is gone", script: ring, ends: []event.Outcome{end("c1/1", event.Dead, 2*time.Second, why("refused", "Reapit refused for a reason that is not known", 409, 1))}, cause: "dead-refused",
			says: "Jane's screen (JAS) was not told: Reapit refused its incomingCall for good (HTTP 409, 1 attempt)", check: "deliver deadletters list --call c1",
		},
		{
			name: "dead, unsendable", script: ring, ends: []event.Outcome{end("c1/1", event.Dead, 2*time.Second, why("unsendable", "it is too long", 0, 0))}, cause: "dead-unsendable",
			says: "Jane's screen (JAS) was not told: no request could be made of its incomingCall: it is too long",
		},
		{
			name: "under way", script: ring, now: 11 * time.Second, cause: CauseUnderWay,
			says: "Jane's screen has not been told yet: its incoming is still under way; it was heard 10s ago and may be sent for another 20s", check: "replay tail --call c1",
		},
		{
			name: "nothing recorded", script: ring, now: 91 * time.Second, cause: CauseNoOutcome,
			says: "Jane's screen was not told: deliver has recorded nothing of its incoming, whose deadline passed 1m0s ago", check: "is deliver running",
		},
		{
			name: "transform is behind", script: ring, behind: true, now: 6 * time.Second, cause: CauseUntold,
			says: "Jane's screen has not been told yet: CALLS does not hold its incoming, which follows from message 2 of RTE, stored 5s ago", check: "is transform running",
		},
		{
			name: "do not disturb", script: "+0s UserCallInUserOverflow jane reason=DND\n+5s UserCallInDisconnected jane reason=remote", now: 6 * time.Second, cause: CauseDiverted,
			says: "Jane's screen was not told: the phone never rang: do not disturb was on (DND), says its UserCallInUserOverflow", check: "availability",
		},
		{
			name: "an unknown reason", script: "+0s UserCallInUserOverflow jane reason=FullMoon", now: time.Second, cause: CauseDiverted,
			says: "Jane's screen was not told: the phone never rang: RTE gives the reason FullMoon",
		},
		{
			name: "do not disturb, but told of the miss", script: "+0s UserCallInComing jane\n+0s UserCallInUserOverflow jane reason=DND\n+5s UserCallInDisconnected jane reason=remote",
			ends: []event.Outcome{end("c1/1", event.Delivered, 8*time.Second)}, cause: CauseDiverted,
			says: "Jane's screen (JAS) did not pop: the phone never rang: do not disturb was on (DND), says its UserCallInUserOverflow; of the missed call it was told: Reapit accepted",
		},
		{
			name: "do not disturb, and not told of the miss either", script: "+0s UserCallInComing jane\n+0s UserCallInUserOverflow jane reason=DND\n+5s UserCallInDisconnected jane reason=remote",
			ends: []event.Outcome{end("c1/1", event.Unmapped, 8*time.Second, nobody, why("nobody", "no such address", 0, 0))}, cause: CauseDiverted,
			says: "Jane's screen did not pop: the phone never rang: do not disturb was on (DND), says its UserCallInUserOverflow; of the missed call it was not told either: jane@", check: "NEGOTIATOR_OVERRIDES",
		},
		{
			name: "withdrawn", script: "+0s UserCallInArrived jane\n+1s UserCallInUserCancelled jane reason=CallerHungUp", now: 2 * time.Second, cause: CauseWithdrawn,
			says: "Jane's screen was not told: the phone never rang: the call was withdrawn first (UserCallInUserCancelled: CallerHungUp)",
		},
		{
			name: "somebody else answered before it rang", script: "+0s UserCallInArrived jane\n+1s UserCallInUserConnected tom", now: 2 * time.Second, cause: CauseElsewhere,
			says: "Jane's screen was not told: the phone never rang: Tom answered first",
		},
		{
			name: "it may ring yet", script: "+0s UserCallInArrived jane", now: 2 * time.Second, cause: CauseUnderWay,
			says: "Jane's screen has not been told yet: the call is arriving; its phone did not ring yet, 2s after what was heard of it last", check: "replay tail --call",
		},
		{
			name: "no ring was heard", script: "+0s UserCallInArrived jane", now: 6 * time.Second, cause: CauseNoRing,
			says: "Jane's screen was not told: RTE never said that the phone rang: no UserCallInUserAllocated and no UserCallInUserConnected, only UserCallInArrived", check: "replay coverage --entity jane",
		},
		{
			name: "the ring was not covered", script: "+0s UserCallInArrived jane", alter: func(e *Evidence) {
				e.Listening = map[string]Listening{"jane": {Wanted: true, Gaps: []coverage.Gap{{From: e.Raw[0].Stored, Until: e.Raw[0].Stored.Add(time.Minute), Why: []string{"a: closed"}}}}}
			}, now: 2 * time.Second, cause: CauseUncovered,
			says: "Jane's screen was not told: RTE never said that the phone rang, and nobody listened to them from 2026-11-01T10:00:00.000Z until 2026-11-01T10:01:00.000Z (a: closed)", check: "replay coverage --entity jane",
		},
		{
			name: "the hub refuses the ring", script: "+0s UserCallInArrived jane", alter: func(e *Evidence) {
				e.Listening = map[string]Listening{"jane": {Wanted: true, Refused: []coverage.Refusal{{Event: "UserCallInUserAllocated", Why: []string{"Unauthorized"}}}}}
			}, now: 2 * time.Second, cause: CauseUnheard, says: "Jane's screen was not told: RTE never said that the phone rang, and the hub lets nobody listen to UserCallInUserAllocated",
		},
		{
			name: "outbound", script: "+0s UserCallOutGoing jane", now: 2 * time.Second, cause: CauseOutbound,
			says: "Jane's screen was not told: the call is outbound for this user",
		},
		{
			name: "RTE does not reach back", script: ring, alter: func(e *Evidence) {
				e.Cut, e.Raw, e.Steps, e.Events = true, nil, nil, nil
				e.Outcomes = []Ended{{Outcome: end("c1/7", event.Delivered, 0)}}
			}, cause: CauseBeyond, says: "Jane's screen (JAS) was not told: CALLS and DELIVERIES hold no ring of this user, and RTE no longer reaches back to the call",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := tt.now
			if now == 0 {
				now = 100 * time.Second
			}
			e := evidence(t, tt.script, tt.behind, now, tt.ends...)
			if tt.alter != nil {
				tt.alter(&e)
			}
			var v Verdict
			for _, one := range Judge(e, deadlines) {
				if one.User.UserID == "jane" {
					v = one
				}
			}
			if v.Cause != tt.cause || v.Told != (tt.cause == CauseTold) || !strings.HasPrefix(v.Sentence, tt.says) {
				t.Errorf("%s, told %v:\n%s\nwant %s:\n%s", v.Cause, v.Told, v.Sentence, tt.cause, tt.says)
			}
			if !strings.Contains(strings.Join(v.Check, "\n"), tt.check) {
				t.Errorf("to check: %q, want %q", v.Check, tt.check)
			}
		})
	}
}

// Every cause that an outcome may have comes out as one, with something to do
// where something can be done.
func TestJudgeKnowsEveryCause(t *testing.T) {
	for _, outcome := range event.OutcomeTypes() {
		for _, cause := range event.Causes(outcome) {
			e := evidence(t, ring, false, 20*time.Second, end("c1/1", outcome, 2*time.Second, why(cause, "because", 0, 0)))
			v := Judge(e, deadlines)[0]
			if v.Told || len(v.Check) == 0 || !strings.HasPrefix(string(v.Cause), string(outcome)) {
				t.Errorf("%s %s: %+v", outcome, cause, v)
			}
		}
	}
}

func TestMiss(t *testing.T) {
	at := call.StoryStart()
	user := event.User{UserID: "jane", UserName: "jane@agency.example"}
	for name, tt := range map[string]struct {
		a     Absence
		cause Cause
		says  string
	}{
		"unknown":        {Absence{Who: "jim@agency.example"}, CauseUnknown, "No call concerned jim@agency.example between 2026-11-01T10:00:00.000Z and 2026-11-01T10:20:00.000Z: nothing of that time names such a user: nobody listens to them, or nothing happened to them, or they are spelled otherwise"},
		"not subscribed": {Absence{User: user}, CauseUnwanted, "nobody listens to them"},
		"not subscribed, and nobody listened for a while": {Absence{User: user, Listening: Listening{Others: true, Gaps: []coverage.Gap{{From: at, Until: at.Add(time.Minute)}}}}, CauseUnwanted, "nobody listens to them"},
		"not subscribed, and nobody listened to anything": {Absence{User: user, Listening: Listening{Gaps: []coverage.Gap{{From: at, Until: at.Add(time.Minute)}}}}, CauseUncovered, "nobody listened to them from"},
		"refused, and nobody listened for a while":        {Absence{User: user, Listening: Listening{Others: true, Gaps: []coverage.Gap{{From: at, Until: at.Add(time.Minute)}}, Refused: []coverage.Refusal{{Event: "UserCallInComing"}}}}, CauseUnheard, "the hub lets nobody listen"},
		"gaps": {
			Absence{User: user, Listening: Listening{Wanted: true, At: at.Add(10 * time.Minute), Gaps: []coverage.Gap{{From: at, Until: at.Add(time.Second)}, {From: at.Add(9 * time.Minute), Until: at.Add(11 * time.Minute)}, {From: at.Add(19 * time.Minute), Until: at.Add(20 * time.Minute)}}}},
			CauseUncovered, "nobody listened to them from 2026-11-01T10:09:00.000Z until 2026-11-01T10:11:00.000Z, nor in 2 other spans (); what happened then is in no stream",
		},
		"refused":     {Absence{User: user, Listening: Listening{Wanted: true, Refused: []coverage.Refusal{{Event: "UserCallInComing", Why: []string{"Unauthorized"}}}}}, CauseUnheard, "the hub lets nobody listen to UserCallInComing of them (Unauthorized)"},
		"a gap":       {Absence{User: user, Listening: Listening{Wanted: true, Gaps: []coverage.Gap{{From: at, Until: at.Add(time.Minute), Why: []string{"a: closed"}}}}}, CauseUncovered, "nobody listened to them from 2026-11-01T10:00:00.000Z until 2026-11-01T10:01:00.000Z (a: closed)"},
		"an open gap": {Absence{User: user, Listening: Listening{Wanted: true, Gaps: []coverage.Gap{{From: at, Open: true}}}}, CauseUncovered, "to this moment"},
		"no call":     {Absence{User: user, Listening: Listening{Wanted: true}}, CauseNoCall, "RTE told of no call of theirs, though they were listened to all the time"},
		"off work":    {Absence{User: user, Events: 1, Availability: "OffWork"}, CauseNoCall, "their availability was OffWork"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.a.From, tt.a.Until = at, at.Add(20*time.Minute)
			if v := Miss(tt.a); v.Cause != tt.cause || !strings.Contains(v.Sentence, tt.says) {
				t.Errorf("%s: %s", v.Cause, v.Sentence)
			}
		})
	}
}

func TestSum(t *testing.T) {
	told := Verdict{User: event.User{UserName: "jane@agency.example"}, Negotiator: "JAS", Told: true, Sentence: "A was told: 202", because: "202"}
	not := Verdict{Sentence: "B was not told: 422"}
	for want, all := range map[string][]Verdict{
		"No screen was told: no event of the call names a user": nil,
		"A was told: 202": {told},
		"Both screens were told: Jane's (JAS), Jane's (JAS); that Reapit accepted it is not to say that it was shown, what to check there is below":                                                    {told, told},
		"All 6 screens were told: Jane's (JAS), Jane's (JAS), Jane's (JAS), Jane's (JAS), Jane's (JAS), 1 more; that Reapit accepted it is not to say that it was shown, what to check there is below": {told, told, told, told, told, told},
		"B was not told: 422; the other screen was told":                                     {not, told},
		"B was not told: 422; the 2 other screens were told":                                 {not, told, told},
		"B was not told: 422; 1 screen more not told, see below":                             {not, not},
		"B was not told: 422; 2 screens more not told, see below; the other screen was told": {not, not, not, told},
	} {
		if got := sum(all); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMasking(t *testing.T) {
	for in, want := range map[string]string{
		"callerId: '+44 7911 123456' is no number": "callerId: '…456' is no number",
		"07911123456": "…456",
		"07911123456,07911123457/+447911123458;07911123459":     "…456,…457/…458;…459",
		"07911-123-456 or +44.7911.123.456 or (0)7911 12/34/56": "…456 or …456 or (…456",
		"after 4 attempts: HTTP 429, 30s":                       "after 4 attempts: HTTP 429, 30s",
		"2026-11-02 09:12 from 192.168.100.200:443, 12345678-1cf2-4b7e-8a61-2c5d9e7f1b30, 12345678-1234-4234-8234-123456789012": "2026-11-02 09:12 from 192.168.100.200:443, 12345678-1cf2-4b7e-8a61-2c5d9e7f1b30, 12345678-1234-4234-8234-123456789012",
		"0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30/1 of 2026-11-01T10:00:00.000Z":                                                    "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30/1 of 2026-11-01T10:00:00.000Z",
	} {
		if got := Masking(true).Text(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
		if got := Masking(false).Text(in); got != in {
			t.Errorf("with --numbers, %q became %q", in, got)
		}
	}
}

func TestMaskingNumbers(t *testing.T) {
	for in, want := range map[string]string{"": "withheld", "anonymous": "withheld", " ": "withheld", "+447911123456": "…456", "201": "…"} {
		if got := Masking(true).Number(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := Masking(false).Number("+447911123456"); got != "+447911123456" {
		t.Errorf("with --numbers: %q", got)
	}
}

// The names of its members are what scripts go by.
func TestTheJSONOfAnAnswer(t *testing.T) {
	b, err := json.Marshal(Answered{Call: "c1", When: time.Unix(1, 0)})
	if want := `{"call":"c1","answer":"","users":null,"timeline":null}`; err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}
