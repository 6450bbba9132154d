package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringstream/schemas/event"
)

// How a sentence about a screen begins.
const (
	wasTold = " was told: "
	wasNot  = " was not told: "
	notYet  = " has not been told yet: "
)

// whose names whose screen it is: "Jane's screen (JAS)", or without a word for
// it "Jane's (JAS)".
func (v Verdict) whose(screen string) string {
	s := ShortName(v.User) + "'s" + screen
	if v.Negotiator != "" {
		s += " (" + v.Negotiator + ")"
	}
	return s
}

// ShortName makes a name of an address: jane.smith@agency.example is Jane Smith.
func ShortName(u event.User) string {
	local, _, ok := strings.Cut(Plain(u.UserName), "@")
	if !ok || local == "" {
		return NameOf(u)
	}
	words := strings.FieldsFunc(local, func(r rune) bool { return r == '.' || r == '_' })
	for i, w := range words {
		first, size := utf8.DecodeRuneInString(w)
		words[i] = string(unicode.ToUpper(first)) + w[size:]
	}
	if len(words) == 0 {
		return NameOf(u)
	}
	return strings.Join(words, " ")
}

func (j judging) say(cause Cause, told bool, begin, because string, check ...string) Verdict {
	v := j.v
	v.Cause, v.Told, v.because, v.Check = cause, told, because, check
	v.Sentence = v.whose(" screen") + begin + because
	return v
}

// Took is a duration for people.
func Took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// tries says how often it was tried. Of the answers only the last is recorded, and
// there need not have been one to each attempt, nor to the last.
func tries(o Ended) string {
	s := Count(o.Attempts, "attempt")
	switch {
	case o.Status == 0:
		return s
	case o.Attempts == 1:
		return fmt.Sprintf("HTTP %d, %s", o.Status, s)
	default:
		return fmt.Sprintf("HTTP %d was the last answer to %s", o.Status, s)
	}
}

// HeardAt is when ringstream heard of what made a call event.
func HeardAt(s Stored) time.Time {
	if s.Call.RecordedAt.IsZero() {
		return s.Stored
	}
	return s.Call.RecordedAt
}

func (j judging) delivered(s Stored, o Ended) Verdict {
	because := fmt.Sprintf("Reapit accepted the %s %s after it was heard (%s), which is not to say that it was shown",
		o.SubType, Took(o.FinishedAt.Sub(HeardAt(s))), tries(o))
	if o.Redrive > 0 {
		because += ", as a dead letter sent again"
	}
	check := []string{
		"was the user logged in to AgencyCloud, as that negotiator? of a call that rings, is answered or ends, one who is not logged in then learns nothing later either",
		fmt.Sprintf("has %s's configuration request for notifications been processed? before, Reapit accepts and shows nothing", cmp.Or(o.Customer, "the customer")),
	}
	late := false
	if by, ok := j.e.answer(); ok && by.AnsweredBy.UserID != j.v.User.UserID && s.Call.Type == event.Incoming {
		at := HeardAt(Stored{Call: by})
		if late = o.FinishedAt.After(at); late {
			because += fmt.Sprintf("; %s had answered %s before", ShortName(*by.AnsweredBy), Took(o.FinishedAt.Sub(at)))
		} else {
			check = append(check, fmt.Sprintf("%s answered %s later, and that ends the pop", ShortName(*by.AnsweredBy), Took(at.Sub(o.FinishedAt))))
		}
	}
	v := j.say(CauseTold, true, wasTold, because, check...)
	if s.Call.Type == event.Incoming && !late {
		v.Sentence += fmt.Sprintf("; if it was not, check there: %s's login to AgencyCloud, and %s's configuration request",
			o.NegotiatorID, cmp.Or(o.Customer, "the customer"))
	}
	return v
}

func (j judging) shadowed(o Ended) Verdict {
	return j.say(CauseShadowed, false, wasNot, "deliver ran as a shadow (DELIVER_SHADOW) and made no POST of the "+o.SubType, "set DELIVER_SHADOW=false to send")
}

// of makes the cause that an outcome states. Outcomes from before there were
// causes state none.
func (o Ended) cause() Cause {
	if o.Cause == "" || o.Cause == string(o.Outcome.Outcome) {
		return Cause(o.Outcome.Outcome)
	}
	return Cause(string(o.Outcome.Outcome) + "-" + o.Cause)
}

// dayUsedUp is how deliver says that it was that limit.
const dayUsedUp = "the requests of the day are used up"

// expiries say what an expired event was waiting for.
var expiries = map[string][2]string{
	"late":    {"it came to deliver too late", "what held it up? compare the times below: the hub, ingest (ringstream_ingest_publish_delay_seconds), transform (ringstream_transform_lag_seconds), deliver (its queue)"},
	"limits":  {"it was throttled by Reapit's limits (429), or by REAPIT_RATE, REAPIT_CONCURRENCY and REAPIT_DAILY", "ringstream_deliver_paused_seconds, ringstream_deliver_budget_left and _used: who else uses this application's limits?"},
	"parked":  {"the customer was parked, because Reapit refuses all of it", "deliver check; ringstream_deliver_parked names the customer and why: is the application installed, are its scopes granted?"},
	"trouble": {"Reapit did not take it", "Reapit's status page; the same attempts in deliver's log, by trace_id or request id"},
}

func (j judging) expired(s Stored, o Ended) Verdict {
	after := o.FinishedAt.Sub(HeardAt(s))
	because := fmt.Sprintf("its %s expired %s after it was heard", o.SubType, Took(after))
	if limit, ok := deadline(o.Reason); ok {
		switch over := after - limit; {
		case over > 0:
			because += fmt.Sprintf(", %s past its deadline of %s", Took(over), limit)
		default:
			because += fmt.Sprintf(", since it could not be tried again within its deadline of %s", limit)
		}
	}
	x := expiries[o.Cause]
	if strings.Contains(o.Reason, dayUsedUp) {
		x = [2]string{"it was throttled: the requests of the day (REAPIT_DAILY) are used up, or the last of them kept for calls that ring", "ringstream_deliver_budget_left: what takes them? nothing more is sent before 00:00 UTC"}
	}
	if x[0] != "" {
		because += ": " + x[0]
	}
	because += fmt.Sprintf(" (%s; %s)", tries(o), o.Reason)
	return j.say(o.cause(), false, wasNot, because, listed(x[1])...)
}

// deadline reads it out of the words of an outcome: "not delivered within 30s".
func deadline(reason string) (time.Duration, bool) {
	_, rest, ok := strings.Cut(reason, " within ")
	word, _, _ := strings.Cut(rest, " ")
	d, err := time.ParseDuration(strings.TrimRight(word, ";,."))
	return d, ok && err == nil
}

func listed(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (j judging) superseded(o Ended) Verdict {
	if by, ok := j.e.shared(o); ok {
		return j.say(CauseTold, true, wasTold, fmt.Sprintf("the %s of %s, who is the same negotiator, brought it", by.SubType, ShortName(by.Users[0])))
	}
	because := fmt.Sprintf("its %s was overtaken before it could be sent: %s", o.SubType, o.Reason)
	if o.Attempts > 0 {
		because += fmt.Sprintf(" (%s)", tries(o))
	}
	return j.say(o.cause(), false, wasNot, because, "what a later event has overtaken would mislead, so this is meant to be; if it took long, look at the times below")
}

// repairs say how a user becomes a negotiator.
var repairs = map[string]string{
	"nobody":      "give the negotiator this e-mail address in Reapit, or name the user in NEGOTIATOR_OVERRIDES; deliver reads the negotiators again every NEGOTIATOR_REFRESH",
	"no-name":     "name the user by id in NEGOTIATOR_OVERRIDES",
	"inactive":    "make the negotiator active in Reapit, or name another one in NEGOTIATOR_OVERRIDES",
	"ambiguous":   "name the right one in NEGOTIATOR_OVERRIDES",
	"retired":     "take the negotiator out of NEGOTIATOR_OVERRIDES",
	"no-customer": "give the organization a customer in TENANTS_FILE",
	"not-loaded":  "deliver check: can it read the negotiators (scope negotiators.read)?",
}

func (j judging) unmapped(o Ended) Verdict {
	who := NameOf(j.v.User)
	return j.say(o.cause(), false, wasNot, fmt.Sprintf("%s is no negotiator of Reapit's: %s", who, o.Reason), listed(repairs[o.Cause])...)
}

func (j judging) refused(s Stored, o Ended) Verdict {
	because := fmt.Sprintf("Reapit refused its %s for good (%s): %s", o.SubType, tries(o), o.Reason)
	if o.Cause == "unsendable" {
		because = fmt.Sprintf("no request could be made of its %s: %s", o.SubType, o.Reason)
	}
	l, found := j.e.letter(o)
	if !found {
		return j.say(o.cause(), false, wasNot, because, "deliver deadletters list --call "+j.e.Call)
	}
	var words []string
	for _, f := range l.Errors {
		words = append(words, strings.TrimPrefix(f.Field+": "+f.Message, ": "))
	}
	if len(words) > 0 {
		because += "; in its words: " + strings.Join(words, ", ")
	}
	because += fmt.Sprintf("; it is dead letter %d", l.Seq)
	check := fmt.Sprintf("deliver deadletters show %d", l.Seq)
	if why := j.tooLate(s); why != "" {
		check += "; " + why + ", so it is not sent again"
	} else {
		check += fmt.Sprintf("; when the reason is gone: deliver deadletters redrive %d", l.Seq)
	}
	return j.say(o.cause(), false, wasNot, because, check)
}

// tooLate says why deliver would send a call event no more: what came of the call
// since, or its deadline. A missed call is sent whenever it is asked for.
func (j judging) tooLate(s Stored) string {
	for _, later := range j.e.Events {
		if t := later.Call.Type; later.Seq > s.Seq && (t == event.Incoming || t == event.Answered || t == event.Ended || t == event.Missed) {
			return fmt.Sprintf("the call went on (%s)", t)
		}
	}
	if limit := j.deadlines.of(s.Call.Type); s.Call.Type != event.Missed && j.e.Now.Sub(HeardAt(s)) > limit {
		return fmt.Sprintf("its deadline of %s has passed", limit)
	}
	return ""
}

// waiting judges a call event of which DELIVERIES has no outcome.
func (j judging) waiting(s Stored) Verdict {
	limit := j.deadlines.of(s.Call.Type)
	since := j.e.Now.Sub(HeardAt(s))
	if since <= limit {
		return j.say(CauseUnderWay, false, notYet, fmt.Sprintf("its %s is still under way; it was heard %s ago and may be sent for another %s",
			s.Call.Type, Took(since), Took(limit-since)), j.again())
	}
	return j.say(CauseNoOutcome, false, wasNot, fmt.Sprintf("deliver has recorded nothing of its %s, whose deadline passed %s ago", s.Call.Type, Took(since-limit)),
		"is deliver running, and has it read CALLS (ringstream_deliver_unread_messages)?",
		"did it start only after the call? its first start passes over what was heard more than DEADLINE_INCOMING before")
}

// again is what to do about what is still under way.
func (j judging) again() string { return "ask again; or: replay tail --call " + j.e.Call }

// untold judges an event that RTE implies and CALLS does not hold.
func (j judging) untold(c event.Call, s Step) Verdict {
	from := "a time limit that was due"
	if s.Seq > 0 {
		from = fmt.Sprintf("message %d of RTE, stored", s.Seq)
	}
	return j.say(CauseUntold, false, notYet, fmt.Sprintf("CALLS does not hold its %s, which follows from %s %s ago", c.Type, from, Took(j.e.Now.Sub(s.At))),
		"is transform running and up to date (its /readyz, ringstream_transform_lag_messages)? replay diff compares all")
}

func (j judging) diverted(why string) Verdict {
	return j.say(CauseDiverted, false, wasNot, "the phone never rang: "+why, "Reapit is told of rings only; the user's availability and diversions are set at the telephony provider")
}

func (j judging) elsewhere(by event.Call) Verdict {
	return j.say(CauseElsewhere, false, wasNot, fmt.Sprintf("the phone never rang: %s answered first", ShortName(*by.AnsweredBy)))
}

func (j judging) outbound() Verdict {
	return j.say(CauseOutbound, false, wasNot, "the call is outbound for this user, and Reapit has no notification for that")
}

// arrives is how long a call may be on its way to a phone: what comes later says why
// it never rang.
const arrives = 5 * time.Second

func (j judging) noRing(heard []Heard) Verdict {
	if why, ok := withdrawn(heard); ok {
		return j.say(CauseWithdrawn, false, wasNot, fmt.Sprintf("the phone never rang: the call was withdrawn first (%s)", why))
	}
	if l, ok := j.e.Listening[j.v.User.UserID]; ok {
		if cause, why, check := l.deaf(j.v.User.UserID, false); cause != "" {
			return j.say(cause, false, wasNot, "RTE never said that the phone rang, and "+why, check)
		}
	}
	if since := max(0, j.e.Now.Sub(heard[len(heard)-1].Stored)); since <= arrives && j.e.offered(j.v.User.UserID) {
		return j.say(CauseUnderWay, false, notYet, fmt.Sprintf("the call is arriving; its phone did not ring yet, %s after what was heard of it last", Took(since)), j.again())
	}
	names := make([]string, 0, len(heard))
	for _, h := range heard {
		if !slices.Contains(names, h.Raw.EventType) {
			names = append(names, h.Raw.EventType)
		}
	}
	return j.say(CauseNoRing, false, wasNot, "RTE never said that the phone rang: no UserCallInUserAllocated and no UserCallInUserConnected, only "+strings.Join(names, ", "),
		"does RTE_SUBSCRIPTIONS name these events of the user? replay coverage --entity "+j.v.User.UserID)
}

func (j judging) beyond() Verdict {
	return j.say(CauseBeyond, false, wasNot, "CALLS and DELIVERIES hold no ring of this user, and RTE no longer reaches back to the call")
}
