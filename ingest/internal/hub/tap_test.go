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
	delivered, swallowed := make(chan string, 10), make(chan struct{}, 10)
	tap := newTap(ws, "id", 1<<20, time.Second, func(b []byte) { delivered <- string(b) }, func() { swallowed <- struct{}{} })
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
	for range 4 {
		got = append(got, <-delivered)
	}
	if want := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`, `{broken`}; !slices.Equal(got, want) {
		t.Errorf("delivered %q", got)
	}
	for range 2 {
		<-swallowed
	}
	if f := tap.goodbye.Load(); f == nil || f.Error != "over" {
		t.Errorf("good-bye is %+v", f)
	}
}

func TestTapKeepsAnswersThatWereNotAskedFor(t *testing.T) {
	ws, send := socket(t)
	swallowed, stray := make(chan struct{}, 10), make(chan string, 10)
	tap := newTap(ws, "id", 1<<20, time.Second, func([]byte) {}, func() { swallowed <- struct{}{} })
	tap.stray = func(id string) { stray <- id }
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
	for _, want := range []string{"nobody", "7", ""} {
		if got := <-stray; got != want {
			t.Errorf("stray %q, want %q", got, want)
		}
		<-swallowed
	}
}

// The handshake's answer must be a read of its own: the library drops the rest.
// A record that never ends must not fill the memory.
func TestTapEndsARecordWithoutEnd(t *testing.T) {
	ws, send := socket(t)
	tap := newTap(ws, "id", 100, time.Second, func([]byte) {}, func() {})
	go tap.run()
	defer tap.close()
	for range 3 {
		send(strings.Repeat("x", 40))
	}
	<-tap.done
	if fault := tap.fault.Load(); fault == nil || !errors.Is(*fault, errEndless) {
		t.Errorf("ended by %v", fault)
	}
}

func TestTapGivesTheHandshakeAlone(t *testing.T) {
	ws, send := socket(t)
	tap := newTap(ws, "id", 1<<20, time.Second, func([]byte) {}, func() {})
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
	}, func() {})
	go tap.run()
	record := func(n string) string { return `{"type":1,"target":"MessageReceived","arguments":[` + n + "]}\x1e" }
	send(record("1") + record("2") + `{"type":6}` + "\x1e" + record("3"))
	<-entered
	tap.close()
	close(release)
	<-tap.done
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("delivered %q", got)
	}
}

// However the hub's bytes are cut into WebSocket messages, the same is
// delivered in the same order.
func FuzzTapCuts(f *testing.F) {
	const message = `{"type":1,"target":"MessageReceived","arguments":[{"n":1}]}`
	f.Add("{}\x1e"+message+"\x1e"+message+"\x1e", uint8(7))
	f.Add("{}\x1e{broken\x1e"+`{"type":6}`+"\x1e"+message, uint8(1))
	f.Add("\x1e\x1e"+`{"type":1,"target":"x"}`+"\x1e", uint8(2))
	f.Fuzz(func(t *testing.T, bytes string, size uint8) {
		whole := delivered(bytes, len(bytes)+1)
		if cut := delivered(bytes, int(size)+1); !slices.Equal(cut, whole) {
			t.Errorf("cut into %d: %q, whole: %q", int(size)+1, cut, whole)
		}
	})
}

func delivered(bytes string, size int) (got []string) {
	tap := newTap(nil, "id", 1<<20, time.Second, func(b []byte) { got = append(got, string(b)) }, func() {})
	_ = tap.library.Close() // nobody reads
	for part := range slices.Chunk([]byte(bytes), size) {
		_ = tap.consume(slices.Clone(part))
	}
	tap.cancel()
	return got
}
