package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
)

// Diagram is the way of a call from the hub to the screens, one row a message.
type Diagram struct {
	Width, Height int
	Top, Bottom   int // of the lanes' lines
	Lanes         []Lane
	Rows          []Row
}

// Lane is a service, or whose screen it is.
type Lane struct {
	X           int
	Title, Note string
	Screen      bool
	Foot        string // what became of it
	FootTitle   string
	Tone        Tone

	keys []string // of users and negotiators
}

// Row is one message, or a moment without one.
type Row struct {
	Y      int
	At     time.Time
	Later  string // how long after the row above, where that is long
	Arrows []Arrow
	Mark   *Beside
}

// Arrow goes from one lane to another.
type Arrow struct {
	From, To    int
	Text        int    // where the label stands
	Anchor      string // of the label
	Label, Note string
	Title       string // all of it, in words
	Tone        Tone
	Dashed      bool // nothing was sent
	Lost        bool // it did not arrive
}

// Head is where the arrow ends: short of its lane where nothing was sent.
func (a Arrow) Head() int {
	if a.Lost && a.Dashed {
		return a.From + (a.To-a.From)*3/5
	}
	return a.To
}

// Beside is something that happened at one lane.
type Beside struct {
	X, Until int // Until: a span that reaches to another lane
	Kind     string
	Label    string
}

// Places of the lanes, and how much text fits between them.
const (
	services                            = 4
	hubX, ingestX, transformX, deliverX = 156, 364, 550, 742
	screenX, screenStep                 = 924, 182
	rowStep, pauseStep                  = 46, 22
	headHeight, footHeight              = 72, 64

	heardFits, stepFits, toldFits, outcomeFits, clockFits = 30, 26, 27, 27, 60
)

const notablePause = time.Second

// drawing is the work on a diagram.
type drawing struct {
	e       explain.Evidence
	numbers explain.Masking
	users   []event.User
	d       Diagram
	rows    []Row
}

// Draw makes the diagram of a call. Gaps are spans in which nobody listened.
func Draw(e explain.Evidence, verdicts []explain.Verdict, gaps []coverage.Gap, numbers explain.Masking) Diagram {
	w := drawing{e: e, numbers: numbers, users: e.Users()}
	w.lanes(verdicts)
	for _, h := range e.Raw {
		w.heard(h)
	}
	for _, s := range e.Steps {
		w.limit(s)
	}
	for _, s := range e.Events {
		w.told(s)
	}
	for _, o := range e.Outcomes {
		w.outcome(o)
	}
	for _, l := range e.Letters {
		w.letter(l)
	}
	for _, g := range gaps {
		w.gap(g)
	}
	w.stack()
	return w.d
}

func (w *drawing) lanes(verdicts []explain.Verdict) {
	w.d.Lanes = []Lane{
		{X: hubX, Title: "hub", Note: "Enreach RTE"},
		{X: ingestX, Title: "ingest", Note: "to RTE"},
		{X: transformX, Title: "transform", Note: "to CALLS"},
		{X: deliverX, Title: "deliver", Note: "to Reapit"},
	}
	for _, v := range verdicts {
		l := w.lane(v.User, v.Negotiator)
		if l.Foot == "" || !v.Told { // of two users of one negotiator, the one that was not told
			l.Foot, l.FootTitle, l.Tone = footOf(v), v.Sentence, toneOf(v.Cause, v.Told)
		}
	}
}

func footOf(v explain.Verdict) string {
	if v.Told {
		return "told"
	}
	return fit(causeText(v.Cause), 24)
}

// lane is that of a user, or of the negotiator who the user is.
func (w *drawing) lane(u event.User, negotiator string) *Lane {
	keys := []string{strings.ToLower(u.UserID)}
	if negotiator != "" {
		keys = append(keys, "="+negotiator)
	}
	for i := range w.d.Lanes {
		l := &w.d.Lanes[i]
		if slices.ContainsFunc(keys, func(k string) bool { return k != "" && slices.Contains(l.keys, k) }) {
			l.keys = append(l.keys, keys...)
			return l
		}
	}
	note := "no negotiator known"
	if negotiator != "" {
		note = negotiator
	}
	x := screenX + screenStep*(len(w.d.Lanes)-services)
	w.d.Lanes = append(w.d.Lanes, Lane{X: x, Title: fit(explain.ShortName(u), 22), Note: note, Screen: true, keys: keys})
	return &w.d.Lanes[len(w.d.Lanes)-1]
}

func (w *drawing) arrow(from, to int, fits int, label, note, title string) Arrow {
	return Arrow{From: from, To: to, Text: (from + to) / 2, Anchor: "middle", Label: fit(label, fits), Note: fit(note, fits+4), Title: title}
}

// heard draws a raw event, and what the fold made of it.
func (w *drawing) heard(h explain.Heard) {
	who := ""
	if u := h.User(); u.UserID != "" {
		who = explain.NameOf(w.known(u))
	}
	stored := fmt.Sprintf("RTE %d", h.Seq)
	if h.By != "" {
		stored += " by " + fit(h.By, 12)
	}
	if !h.Recorded.IsZero() {
		stored += ", " + short(h.Stored.Sub(h.Recorded))
	}
	first := w.arrow(hubX, ingestX, heardFits, h.Raw.EventType, who, h.Entry(w.numbers).What)
	second := w.arrow(ingestX, transformX, stepFits, "", stored, "stored as message "+fmt.Sprint(h.Seq)+" of RTE")
	second.Label = "no change"
	second.Tone = Quiet
	for _, s := range w.e.Steps {
		if s.Seq == h.Seq && s.Verdict == call.Changed {
			second.Tone, second.Label = "", fit(movesText(s.Moves), stepFits)
		}
		if s.Seq == h.Seq && s.Verdict != call.Changed {
			second.Title += ", which changed nothing: " + s.Verdict.String()
		}
	}
	if w.e.Cut {
		second.Label = ""
	}
	w.rows = append(w.rows, Row{At: h.Stored, Arrows: []Arrow{first, second}})
}

func movesText(all []explain.Move) string {
	words := make([]string, len(all))
	for i, m := range all {
		words[i] = explain.ShortName(m.User) + " " + m.To
	}
	return strings.Join(words, ", ")
}

// limit draws a time limit that was over.
func (w *drawing) limit(s explain.Step) {
	if s.Seq > 0 || len(s.Moves)+len(s.Told) == 0 {
		return
	}
	w.rows = append(w.rows, Row{At: s.At, Mark: &Beside{X: transformX, Kind: "clock", Label: fit(s.Entry().What, clockFits)}})
}

// told draws a call event.
func (w *drawing) told(s explain.Stored) {
	names := make([]string, len(s.Call.Audience))
	for i, u := range s.Call.Audience {
		names[i] = explain.ShortName(u)
	}
	note := fmt.Sprintf("CALLS %d", s.Seq)
	for _, h := range w.e.Raw {
		if h.Seq == s.In {
			note += ", " + short(s.Stored.Sub(h.Stored))
		}
	}
	for _, also := range []struct {
		on   bool
		word string
	}{{s.Call.Inferred, "inferred"}, {s.Call.Coverage == event.Gap, "coverage gap"}} {
		if also.on {
			note += ", " + also.word
		}
	}
	a := w.arrow(transformX, deliverX, toldFits, fmt.Sprintf("%s to %s", s.Call.Type, strings.Join(names, ", ")), note, s.Entry().What)
	if s.Call.Direction == event.Outbound {
		a.Tone = Quiet
	}
	w.rows = append(w.rows, Row{At: s.Stored, Arrows: []Arrow{a}})
}

// tones of outcomes.
var tones = map[event.OutcomeType]Tone{
	event.Delivered: Good, event.Shadowed: Quiet, event.Superseded: Quiet,
	event.Expired: Bad, event.Unmapped: Bad, event.Rejected: Bad, event.Dead: Bad,
}

// outcome draws what came of a call event for one negotiator.
func (w *drawing) outcome(o explain.Ended) {
	user := event.User{}
	if len(o.Users) > 0 {
		user = o.Users[0]
	}
	to := w.lane(user, o.NegotiatorID)
	label, fits := cmp.Or(o.SubType, string(o.Type)), outcomeFits
	if len(w.d.Lanes) > services+1 { // the lane may be out of sight
		label, fits = to.Title+": "+label, 2*outcomeFits
	}
	if o.Status != 0 {
		label += fmt.Sprintf(" %d", o.Status)
	}
	note := string(o.Outcome.Outcome)
	if o.Cause != "" && o.Cause != note {
		note += ": " + strings.ReplaceAll(o.Cause, "-", " ")
	}
	note += ", " + short(o.FinishedAt.Sub(w.sinceHeard(o)))
	if o.Attempts > 1 {
		note += ", " + explain.Count(o.Attempts, "attempt")
	}
	a := w.arrow(deliverX, to.X, fits, label, note, o.Entry(w.numbers).What)
	a.Text, a.Anchor = deliverX+10, "start"
	a.Tone, a.Dashed, a.Lost = tones[o.Outcome.Outcome], o.Attempts == 0, o.Outcome.Outcome != event.Delivered
	w.rows = append(w.rows, Row{At: o.Stored, Arrows: []Arrow{a}})
}

func (w *drawing) sinceHeard(o explain.Ended) time.Time {
	for _, s := range w.e.Events {
		if s.Call.EventID() == o.EventID {
			return explain.HeardAt(s)
		}
	}
	return o.ReceivedAt
}

func (w *drawing) letter(l explain.Letter) {
	w.rows = append(w.rows, Row{At: l.At, Mark: &Beside{X: deliverX, Kind: "letter", Label: fmt.Sprintf("dead letter %d: %s", l.Seq, l.Reason)}})
}

func (w *drawing) gap(g coverage.Gap) {
	whom := "nobody listened"
	if g.Entity != coverage.Everything {
		whom += " to " + g.Entity
	}
	long := explain.Took(g.Until.Sub(g.From))
	if g.Open {
		long = "still open"
	}
	w.rows = append(w.rows, Row{At: g.From, Mark: &Beside{X: hubX, Until: ingestX, Kind: "gap", Label: fit(whom, heardFits-len(long)) + ", " + long}})
}

// stack puts the rows below each other, a cause above what came of it.
func (w *drawing) stack() {
	slices.SortStableFunc(w.rows, func(a, b Row) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	at := headHeight + 8
	for i := range w.rows {
		r := &w.rows[i]
		if i > 0 {
			if later := r.At.Sub(w.rows[i-1].At); later >= notablePause {
				r.Later = explain.Took(later) + " later"
				at += pauseStep
			}
		}
		at += rowStep
		r.Y = at
	}
	last := w.d.Lanes[len(w.d.Lanes)-1].X
	w.d.Rows, w.d.Top, w.d.Bottom = w.rows, headHeight, at+26
	w.d.Width, w.d.Height = last+100, w.d.Bottom+footHeight
}

// known has the name of a user that some other message tells.
func (w *drawing) known(u event.User) event.User {
	at := slices.IndexFunc(w.users, func(k event.User) bool { return strings.EqualFold(k.UserID, u.UserID) })
	if u.UserName == "" && at >= 0 {
		return w.users[at]
	}
	return u
}

// short is a duration between two steps.
func short(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1ms"
	}
	return explain.Took(d)
}

// fit cuts a text to so many characters.
func fit(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// inFew says a cause on a chip, where its own word would be a riddle. The page of
// the call has the sentence.
var inFew = map[explain.Cause]string{
	"expired-late": "too late", "expired-limits": "throttled", "expired-parked": "customer refused", "expired-trouble": "Reapit in trouble",
	"superseded-answered-elsewhere": "answered elsewhere", "superseded-call-over": "call was over", "superseded-later-delivered": "overtaken",
	"superseded-never-shown": "never shown", "superseded-same-answer": "answered already", "superseded-same-negotiator": "told by another user",
	"superseded-still-in-call": "still in the call",
	"unmapped-ambiguous":       "several negotiators fit", "unmapped-inactive": "negotiator inactive", "unmapped-no-customer": "no customer",
	"unmapped-no-name": "user has no name", "unmapped-nobody": "no negotiator", "unmapped-not-loaded": "negotiators not read", "unmapped-retired": "negotiator retired",
	"dead-refused": "refused", "dead-unsendable": "cannot be sent",
}

// causeText is a cause in a few words.
func causeText(c explain.Cause) string {
	if text, ok := inFew[c]; ok {
		return text
	}
	return strings.ReplaceAll(string(c), "-", " ")
}
