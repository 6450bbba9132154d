package page

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	refresh   = 10 * time.Second // the axes move on, even when nothing happens
	aMoment   = time.Second      // between two messages to one reader
	comeAgain = 5 * time.Second
)

// events keeps a reader up to date: of the list with its rows as they are
// rendered, of a call with how much is known of it.
func (s *Site) events(w http.ResponseWriter, r *http.Request) {
	select {
	case s.seats <- struct{}{}:
		defer func() { <-s.seats }()
	default:
		w.Header().Set("Retry-After", fmt.Sprint(int(comeAgain.Seconds())))
		http.Error(w, "too many readers are kept up to date already; reload instead", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	stream := events{w: w, control: http.NewResponseController(w)}
	if stream.send("retry: %d\n\n", comeAgain.Milliseconds()) != nil {
		return
	}
	tell := s.listChanges(r)
	if id := r.URL.Query().Get("call"); id != "" {
		tell = s.callChanges(id)
	}
	for {
		more, err := tell(stream)
		if err != nil || !wait(r, more) {
			return
		}
	}
}

// wait for more to tell, but not without end.
func wait(r *http.Request, more <-chan struct{}) bool {
	pause := time.NewTimer(aMoment)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-r.Context().Done():
		return false
	}
	late := time.NewTimer(refresh)
	defer late.Stop()
	select {
	case <-more:
	case <-late.C:
	case <-r.Context().Done():
		return false
	}
	return true
}

// teller tells what is new, and gives what is closed when there is more.
type teller func(events) (more <-chan struct{}, err error)

func (s *Site) listChanges(r *http.Request) teller {
	q := ReadQuery(r.URL.Query())
	var said []byte
	return func(to events) (<-chan struct{}, error) {
		var out bytes.Buffer
		more, err := s.follower.view(q, func(v View, c Condition) error {
			return s.pages.render(&out, "live", listed{v, c, s.follower.origin().Imported})
		})
		if err != nil || bytes.Equal(out.Bytes(), said) {
			return more, err
		}
		said = bytes.Clone(out.Bytes())
		return more, to.event("list", out.String())
	}
}

func (s *Site) callChanges(id string) teller {
	return func(to events) (<-chan struct{}, error) {
		s.follower.mu.Lock()
		heard, more := s.follower.book.Heard(id), s.follower.changed
		s.follower.mu.Unlock()
		return more, to.event("call", fmt.Sprint(heard))
	}
}

// events is one stream of them.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (e events) event(name, data string) error {
	return e.send("event: %s\ndata: %s\n\n", name, lines.Replace(strings.TrimSpace(data)))
}

// A carriage return would end a line of an event too.
var lines = strings.NewReplacer("\r\n", "\ndata: ", "\r", "\ndata: ", "\n", "\ndata: ")

func (e events) send(format string, args ...any) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, format, args...); err != nil {
		return err
	}
	return e.control.Flush()
}
