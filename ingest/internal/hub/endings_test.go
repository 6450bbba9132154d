package hub

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
)

// hangUp is a hub that lets everybody in and answers the handshake with this;
// without an answer it hangs up, or says nothing.
func hangUp(t *testing.T, answer string, silent bool) *httptest.Server {
	t.Helper()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/negotiate") {
			_, _ = fmt.Fprint(w, `{"negotiateVersion":1,"connectionId":"c","connectionToken":"t"}`)
			return
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		if _, _, err := ws.Read(r.Context()); err != nil { // the client's handshake
			return
		}
		if answer != "" {
			_ = ws.Write(r.Context(), websocket.MessageText, []byte(answer))
		}
		if silent {
			<-over
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	return server
}

// A hub that ends the connection at the handshake or right behind it is told
// apart, in words, from one that is not there.
func TestHubThatHangsUpEarly(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		silent       bool
		want         session.Cause
		says         []string
	}{
		{"refuses the protocol", `{"error":"The protocol 'json' is not supported."}` + "\x1e", true, session.Refused, []string{"shake hands", "The protocol 'json' is not supported."}},
		{"hangs up", "", false, session.Refused, []string{"shake hands", "EOF"}},
		{"says nothing", "", true, session.Refused, []string{"shake hands", "timed out"}},
		{"answers nonsense", "hello\x1e", true, session.Refused, []string{"shake hands"}},
		{"closes at once", "{}\x1e" + `{"type":7,"error":"too many connections"}` + "\x1e", true, session.Dismissed, []string{"the hub closed the connection", "too many connections"}},
		{"closes at once, come again", "{}\x1e" + `{"type":7,"allowReconnect":true}` + "\x1e", true, session.Closed, []string{"the hub closed the connection"}},
		{"closes and hangs up", "{}\x1e" + `{"type":7,"error":"restarting"}` + "\x1e", false, session.Dismissed, []string{"the hub closed the connection", "restarting"}},
		{"hangs up after it", "{}\x1e", false, session.Lost, []string{"the connection broke"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := hangUp(t, c.answer, c.silent)
			limits := DefaultLimits()
			if c.silent {
				limits.Handshake = 300 * time.Millisecond
			}
			h := &Hub{Sink: nobody{}, Observe: nobody{}, HTTP: server.Client(), Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
			h.Source.Fixed.Entities = []Entity{{Type: rte.User, ID: "aa9730c4-ce86-e611-80c9-00505689257e"}}
			h.Grant = grantOf(server.URL + "/rte")
			began := time.Now()
			live, cause, err := attempt(t.Context(), h)
			if took := time.Since(began); took > limits.Handshake/2+time.Second {
				t.Errorf("noticed after %s", took)
			}
			if cause != c.want || live {
				t.Errorf("ended as %s, want %s; live: %v", cause, c.want, live)
			}
			for _, want := range c.says {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("does not say %q: %v", want, err)
				}
			}
		})
	}
}

// attempt makes one attempt and stays with it until it ends.
func attempt(ctx context.Context, h *Hub) (live bool, cause session.Cause, err error) {
	s := h.supervisor()
	e := s.happened(session.Begin)
	for ; e.Kind != session.Ended; e = s.step(ctx) {
		s.machine, _ = s.machine.Next(e)
		live = live || s.machine.State == session.Live
	}
	return live, e.Cause, s.err
}
