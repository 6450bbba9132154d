package page

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/coverage"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

// refusal is a page that says why there is none, and what to do.
type refusal struct {
	Status int
	Title  string
	Why    string
	Try    []string
}

// listed is what the list is made of.
type listed struct {
	View
	Condition Condition
	Imported  bool // the streams were, and nothing comes any more
}

// tab is a selection of the list.
type tab struct {
	Show Show
	Text string
}

// Shows are the selections there are.
func (listed) Shows() []tab {
	return []tab{{ShowAll, "All"}, {ShowRinging, "Ringing now"}, {ShowNotTold, "Not told"}}
}

func (s *Site) list(w http.ResponseWriter, r *http.Request) {
	var out bytes.Buffer
	_, err := s.follower.view(ReadQuery(r.URL.Query()), func(v View, c Condition) error {
		return s.pages.render(&out, "list", listed{v, c, s.follower.origin().Imported})
	})
	s.pages.write(w, r, http.StatusOK, out.Bytes(), err)
}

// called is what the page of a call is made of.
type called struct {
	Query     Query // of the search
	Condition Condition
	Answer    explain.Answered
	When      time.Time
	Heard     int // messages, as far as the list knows
	State     State
	Diagram   Diagram
	Messages  []message
	Masked    bool
}

// message is one of a stream, as it stands there.
type message struct {
	Stream  string
	Seq     uint64
	At      time.Time
	Subject string
	Headers []string
	Body    string
}

// Lead is the answer itself, and Rest why.
func (c called) Lead() string {
	lead, rest, found := strings.Cut(c.Answer.Answer, ": ")
	if found && rest != "" {
		return lead + ": "
	}
	return lead
}

// Rest is what follows the lead.
func (c called) Rest() string { return strings.TrimPrefix(c.Answer.Answer, c.Lead()) }

func (s *Site) call(w http.ResponseWriter, r *http.Request) {
	id := strings.ToLower(strings.TrimSpace(r.PathValue("id")))
	var messages []message
	e, err := s.follower.gather(r.Context(), id, func(name string, m bus.Message) {
		messages = append(messages, s.pages.message(name, m))
	})
	switch {
	case errors.Is(err, r.Context().Err()) && err != nil:
		return
	case err != nil:
		s.pages.refuse(w, r, refusal{
			http.StatusBadGateway, "The streams could not be read", err.Error(),
			[]string{"load this page again", "is the server of NATS_URL up, and is it the right one?", "what this user may read: replay --help"},
		})
	case e.Empty():
		s.pages.refuse(w, r, s.unknown(r, id, e))
	default:
		var out bytes.Buffer
		err := s.pages.render(&out, "call", s.called(e, messages))
		s.pages.write(w, r, http.StatusOK, out.Bytes(), err)
	}
}

func (s *Site) unknown(r *http.Request, id string, e explain.Evidence) refusal {
	try := []string{
		"is the id whole? it is the telephony provider's CallId: 36 characters",
		"search the list for the caller's last digits or for a user; replay explain user finds calls by their time",
	}
	if rte, err := stream.Look(r.Context(), s.follower.js, "RTE"); err == nil && !rte.Empty() {
		try = append(try, "RTE reaches back to "+rte.From.Format(explain.StoredFormat))
	}
	title, says := "No stream holds anything of this call", fmt.Sprintf("RTE, CALLS and DELIVERIES know no call %q.", fit(id, 80))
	if len(e.Unread) > 0 {
		title, says = "What RTE holds of this call cannot be read", e.Nothing()+"."
	}
	return refusal{http.StatusNotFound, title, says, try}
}

// called says what became of a call, with what the book knows beside its evidence.
func (s *Site) called(e explain.Evidence, messages []message) called {
	s.follower.mu.Lock()
	defer s.follower.mu.Unlock()
	c := s.pages.called(e, s.follower.rules.Deadlines, s.gaps(e), messages)
	c.Condition, c.Heard = s.follower.condition(), s.follower.book.Heard(e.Call)
	return c
}

func (p *pages) called(e explain.Evidence, deadlines explain.Deadlines, gaps []coverage.Gap, messages []message) called {
	a := explain.Conclude(e, "", deadlines, p.numbers)
	slices.SortStableFunc(messages, func(a, b message) int { return a.At.Compare(b.At) })
	return called{
		Query: Query{Show: ShowAll}, Answer: a, When: a.When, State: stateOf(e),
		Diagram: Draw(e, a.Users, gaps, p.numbers), Messages: messages, Masked: bool(p.numbers),
	}
}

// The ring of a call that was heard late may have gone unheard so long before.
const beforehand = 30 * time.Second

// gaps are those in the life of a call, as far as the book reaches back.
func (s *Site) gaps(e explain.Evidence) []coverage.Gap {
	var from, until time.Time
	see := func(at time.Time) {
		if from.IsZero() || at.Before(from) {
			from = at
		}
		if at.After(until) {
			until = at
		}
	}
	for _, h := range e.Raw {
		see(h.Stored)
	}
	for _, c := range e.Events {
		see(c.Stored)
	}
	if from.IsZero() {
		return nil
	}
	return s.follower.book.gapsOf(e.Users(), from.Add(-beforehand), until)
}
