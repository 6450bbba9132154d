package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlined takes deadlines, as a connection does.
type deadlined struct{ *httptest.ResponseRecorder }

func (deadlined) SetWriteDeadline(time.Time) error { return nil }

// To a browser a carriage return ends a line, and an empty line the event.
func TestNothingInAnEventEndsIt(t *testing.T) {
	w := httptest.NewRecorder()
	e := events{w: w, control: http.NewResponseController(deadlined{w})}
	if err := e.event("list", "\n<p>a\r\revent: call\rdata: 9\r\nb\n\nc</p>\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.ReplaceAll(w.Body.String(), "\r", "<CR>"), "event: list\ndata: <p>a\ndata: \ndata: event: call\ndata: data: 9\ndata: b\ndata: \ndata: c</p>\n\n"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
