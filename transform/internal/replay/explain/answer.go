package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
)

// Answered is what is said of one call.
type Answered struct {
	Call         string    `json:"call"`
	Organization string    `json:"organization,omitempty"`
	Caller       string    `json:"caller,omitempty"`
	Answer       string    `json:"answer"`
	Users        []Verdict `json:"users"`
	Timeline     []Entry   `json:"timeline"`

	When time.Time `json:"-"` // the first that is known of it
}

// Conclude says what became of a call for everybody, or for one user alone.
func Conclude(e Evidence, only string, deadlines Deadlines, numbers Masking) Answered {
	a := Answered{Call: e.Call, Users: []Verdict{}, Timeline: Timeline(e, numbers)}
	for _, v := range Judge(e, deadlines) {
		if only == "" || v.User.UserID == only {
			a.Users = append(a.Users, numbers.verdict(v))
		}
	}
	a.Answer = sum(a.Users)
	for _, s := range e.Events {
		a.about(s.Call.OrganizationID, s.Call.Caller, numbers)
	}
	for _, h := range e.Raw {
		a.about(h.Raw.OrganizationID, h.Raw.CallerNumber, numbers)
	}
	if len(a.Timeline) > 0 {
		a.When = a.Timeline[0].At
	}
	return a
}

func (a *Answered) about(organization, caller string, numbers Masking) {
	a.Organization = cmp.Or(a.Organization, organization)
	if a.Caller == "" && caller != "" {
		a.Caller = numbers.Number(caller)
	}
}

// sum makes one sentence of several.
func sum(all []Verdict) string {
	not := 0
	for _, v := range all {
		if !v.Told {
			not++
		}
	}
	switch told := len(all) - not; {
	case len(all) == 0:
		return "No screen was told: no event of the call names a user"
	case len(all) == 1:
		return all[0].Sentence
	case not == 0:
		return fmt.Sprintf("%s were told: %s; that Reapit accepted it is not to say that it was shown, what to check there is below", screens(told), each(all))
	case told == 0 && not > 1:
		return fmt.Sprintf("%s; %s more not told, see below", all[0].Sentence, Count(not-1, "screen"))
	case not == 1:
		return fmt.Sprintf("%s; %s told", all[0].Sentence, were(told, "other screen"))
	default:
		return fmt.Sprintf("%s; %s more not told, see below; %s told", all[0].Sentence, Count(not-1, "screen"), were(told, "other screen"))
	}
}

func screens(n int) string {
	if n == 2 {
		return "Both screens"
	}
	return fmt.Sprintf("All %d screens", n)
}

// each names whose screens they are, the first few at least.
func each(all []Verdict) string {
	const few = 5
	var words []string
	for _, v := range all[:min(few, len(all))] {
		words = append(words, v.whose(""))
	}
	if n := len(all) - few; n > 0 {
		words = append(words, fmt.Sprintf("%d more", n))
	}
	return strings.Join(words, ", ")
}

func were(n int, what string) string {
	if n == 1 {
		return "the " + what + " was"
	}
	return fmt.Sprintf("the %d %ss were", n, what)
}

// Explained reports whether the streams say why.
func (a Answered) Explained() bool {
	return !slices.ContainsFunc(a.Users, func(v Verdict) bool { return v.Cause == CauseBeyond || v.Cause == CauseNoRing })
}

// Searched is what is said of a user around a moment.
type Searched struct {
	Who    string     `json:"who"`
	User   event.User `json:"user"`
	From   time.Time  `json:"from"`
	Until  time.Time  `json:"until"`
	Answer string     `json:"answer"`
	None   *Verdict   `json:"none,omitempty"` // why there is no call
	Calls  []Answered `json:"calls"`
}

// Sum makes one sentence of what is said of each call, the first that was not
// told before all others.
func (s Searched) Sum() string {
	if s.None != nil {
		return s.None.Sentence
	}
	var all []Verdict
	for _, c := range s.Calls {
		all = append(all, c.Users...)
	}
	slices.SortStableFunc(all, func(a, b Verdict) int {
		switch {
		case a.Told == b.Told:
			return 0
		case b.Told:
			return -1
		default:
			return 1
		}
	})
	if len(all) == 1 {
		return all[0].Sentence
	}
	told := 0
	for _, v := range all {
		if v.Told {
			told++
		}
	}
	if told == len(all) {
		return fmt.Sprintf("%s concerned %s, and the screen was told of each", Count(len(all), "call"), NameOf(s.User))
	}
	return fmt.Sprintf("%s concerned %s, and the screen was told of %d; %s", Count(len(all), "call"), NameOf(s.User), told, all[0].Sentence)
}

// Explained reports whether the streams say why.
func (s Searched) Explained() bool {
	return (s.None == nil || s.None.Cause != CauseUnknown) && !slices.ContainsFunc(s.Calls, func(a Answered) bool { return !a.Explained() })
}

// Absence is what is known of a user of whom no call was found.
type Absence struct {
	Listening
	Who          string // as it was asked
	Negotiator   string // if that is one
	User         event.User
	From, Until  time.Time
	Events       int    // of the user, none of them of a call
	Availability string // the newest that RTE told in that time
}

// Miss says why no call concerned a user.
func Miss(a Absence) Verdict {
	span := fmt.Sprintf("between %s and %s", a.From.Format(StoredFormat), a.Until.Format(StoredFormat))
	v := Verdict{User: a.User}
	say := func(cause Cause, why string, check ...string) Verdict {
		v.Cause, v.because, v.Check = cause, why, check
		v.Sentence = fmt.Sprintf("No call concerned %s %s: %s", cmp.Or(NameOf(a.User), a.Who), span, why)
		return v
	}
	if a.User.UserID == "" && a.Negotiator != "" {
		return say(CauseUnknown, "DELIVERIES holds no outcome for a negotiator "+a.Negotiator+", and by that alone it is known here who a negotiator is: nothing was to be shown to them, or the id is another", "ask about the e-mail address, or about the id of the user; deliver alone reads Reapit's list of negotiators")
	}
	if a.User.UserID == "" {
		return say(CauseUnknown, "nothing of that time names such a user: nobody listens to them, or nothing happened to them, or they are spelled otherwise", "is it spelled as at the telephony provider? RTE knows users by id: with that, this command can tell whether anybody listens to them")
	}
	if cause, why, check := a.deaf(a.User.UserID, a.Events > 0); cause != "" {
		return say(cause, why, check)
	}
	if a.Availability != "" {
		return say(CauseNoCall, fmt.Sprintf("RTE told of no call of theirs, though they were listened to all the time; their availability was %s", a.Availability))
	}
	return say(CauseNoCall, "RTE told of no call of theirs, though they were listened to all the time", "did the call reach the telephony provider, and this user? its own list of calls tells")
}

// deaf says why nothing could be heard of a user, if so. Of whom something was
// heard, somebody listened to, whether or not it is known since when. Who was
// never to be heard is not missing because of a gap.
func (l Listening) deaf(user string, heard bool) (cause Cause, why, check string) {
	coverageOf := "replay coverage --entity " + user
	unheard := !l.Wanted && !heard
	switch {
	case len(l.Refused) > 0 && (unheard || len(l.Gaps) == 0):
		return CauseUnheard, fmt.Sprintf("the hub lets nobody listen to %s of them (%s)", names(l.Refused), strings.Join(l.Refused[0].Why, "; ")),
			"may ENREACH_RTE_USER see this user? " + coverageOf
	case unheard && (l.Others || len(l.Gaps) == 0):
		return CauseUnwanted, "nobody listens to them: ingest has subscribed to nothing of theirs", "RTE_SUBSCRIPTIONS or RTE_SUBSCRIPTIONS_FILE: user:" + user
	case len(l.Gaps) > 0:
		return CauseUncovered, l.uncovered(), coverageOf
	default:
		return "", "", ""
	}
}

func (l Listening) uncovered() string {
	g := l.gap()
	end := "until " + g.Until.Format(StoredFormat)
	if g.Open {
		end = "to this moment"
	}
	if n := len(l.Gaps) - 1; n > 0 {
		end += fmt.Sprintf(", nor in %s", Count(n, "other span"))
	}
	return fmt.Sprintf("nobody listened to them from %s %s (%s); what happened then is in no stream", g.From.Format(StoredFormat), end, strings.Join(g.Why, "; "))
}

func names(all []coverage.Refusal) string {
	words := make([]string, len(all))
	for i, r := range all {
		words[i] = r.Event
	}
	return strings.Join(words, ", ")
}
