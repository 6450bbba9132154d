package hub

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// socket is a WebSocket whose other end sends what the test gives it.
func socket(t *testing.T) (client *websocket.Conn, send func(string)) {
	t.Helper()
	accepted := make(chan *websocket.Conn, 1)
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		accepted <- ws
		<-over
		_ = ws.CloseNow()
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	client, _, err := websocket.Dial(ctx, server.URL, nil) //nolint:bodyclose // the library owns the body
	if err != nil {
		t.Fatal(err)
	}
	far := <-accepted
	return client, func(s string) {
		t.Helper()
		if err := far.Write(t.Context(), websocket.MessageText, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTapSortsRecords(t *testing.T) {
	ws, send := socket(t)
	delivered, stray := make(chan string, 10), make(chan string, 10)
	tap := newTap(ws, "id", 1<<20, time.Second, func(b []byte) { delivered <- string(b) }, func(_ []byte, reason string) { stray <- reason })
	go tap.run()
	defer func() { tap.close(); <-tap.done }()
	if _, err := tap.Write([]byte(`{"type":1,"invocationId":"1","target":"Subscribe","arguments":[]}` + "\x1e")); err != nil {
		t.Fatal(err)
	}
	library := bufio.NewReader(tap)
	const one, two = `{"type":1,"target":"MessageReceived","arguments":[{"n":1}]}`, `{"type":1,"target":"MessageReceived","arguments":[{"n":2}]}`

	send("{}\x1e" + one + "\x1e" + `{"type":3,"invocationId":"1","result":[]}` + "\x1e" + two[:30])
	send(two[30:] + "\x1e" + `{"target":"Other","type":1,"arguments":[1]}` + "\x1e")
	send(`{"arguments":[ {"n":3} ,4],"type":1,"target":"messagereceived"}` + "\x1e" + `{broken` + "\x1e" + `{"type":7,"error":"over"}` + "\x1e")

	var passed []string
	for range 3 {
		record, err := library.ReadString(0x1e)
		if err != nil {
			t.Fatal(err)
		}
		passed = append(passed, strings.TrimSuffix(record, "\x1e"))
	}
	if want := []string{"{}", `{"type":3,"invocationId":"1","result":[]}`, `{"type":7,"error":"over"}`}; !slices.Equal(passed, want) {
		t.Errorf("passed %q", passed)
	}
	var got []string
	for range 3 {
		got = append(got, <-delivered)
	}
	if want := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}; !slices.Equal(got, want) {
		t.Errorf("delivered %q", got)
	}
	for _, want := range []string{StrayCallback, StrayArguments, StrayBroken} {
		if got := <-stray; got != want {
			t.Errorf("stray as %s, want %s", got, want)
		}
	}
	if f := tap.goodbye.Load(); f == nil || f.Error != "over" {
		t.Errorf("good-bye is %+v", f)
	}
}

func TestTapKeepsAnswersThatWereNotAskedFor(t *testing.T) {
	ws, send := socket(t)
	stray := make(chan string, 10)
	tap := newTap(ws, "id", 1<<20, time.Second, func([]byte) {}, func(record []byte, reason string) { stray <- reason + string(record) })
	go tap.run()
	defer func() { tap.close(); <-tap.done }()
	if _, err := tap.Write([]byte(`{"type":1,"invocationId":"7","target":"Subscribe","arguments":[]}` + "\x1e")); err != nil {
		t.Fatal(err)
	}
	library := bufio.NewReader(tap)
	const answer = `{"type":3,"invocationId":"7"}`
	send("{}\x1e" + `{"type":3,"invocationId":"nobody"}` + "\x1e" + answer + "\x1e" + answer + "\x1e" + `{"type":3}` + "\x1e" + `{"type":6}` + "\x1e")
	for _, want := range []string{"{}", answer, `{"type":6}`} {
		if got, err := library.ReadString(0x1e); err != nil || got != want+"\x1e" {
			t.Errorf("passed %q (%v), want %q", got, err, want)
		}
	}
	for _, want := range []string{`{"type":3,"invocationId":"nobody"}`, answer, `{"type":3}`} {
		if got := <-stray; got != StrayAnswer+want {
			t.Errorf("stray %q, want %q", got, want)
		}
	}
}

// The handshake's answer must be a read of its own: the library drops the rest.
// A record that never ends must not fill the memory.
func TestTapEndsARecordWithoutEnd(t *testing.T) {
	ws, send := socket(t)
	var kept []string
	tap := newTap(ws, "id", 100, time.Second, func([]byte) {}, func(b []byte, reason string) { kept = append(kept, reason+" "+string(b)) })
	go tap.run()
	defer tap.close()
	for range 3 {
		send(strings.Repeat("x", 40))
	}
	<-tap.done
	if fault := tap.fault.Load(); fault == nil || !errors.Is(*fault, errEndless) {
		t.Errorf("ended by %v", fault)
	}
	if want := []string{StrayBroken + " " + strings.Repeat("x", 120)}; !slices.Equal(kept, want) {
		t.Errorf("kept %q", kept)
	}
}

func TestTapGivesTheHandshakeAlone(t *testing.T) {
	ws, send := socket(t)
	tap := newTap(ws, "id", 1<<20, time.Second, func([]byte) {}, func([]byte, string) {})
	go tap.run()
	defer func() { tap.close(); <-tap.done }()
	send("{}\x1e" + `{"type":6}` + "\x1e")
	p := make([]byte, 100)
	n, err := tap.Read(p)
	if err != nil || string(p[:n]) != "{}\x1e" {
		t.Errorf("first read is %q, %v", p[:n], err)
	}
}

func TestTapDeliversWhatItReadBeforeItWasClosed(t *testing.T) {
	ws, send := socket(t)
	entered, release := make(chan struct{}), make(chan struct{})
	var got []string
	tap := newTap(ws, "id", 1<<20, time.Second, func(b []byte) {
		if len(got) == 0 {
			close(entered)
			<-release
		}
		got = append(got, string(b))
	}, func([]byte, string) {})
	go tap.run()
	send(record(`{"n":1}`) + record(`{"n":2}`) + `{"type":6}` + "\x1e" + record(`{"n":3}`))
	<-entered
	tap.close()
	close(release)
	<-tap.done
	if !slices.Equal(got, []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}) {
		t.Errorf("delivered %q", got)
	}
}
