package hub

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// far is a hub's end of a WebSocket.
type far struct {
	ws    *websocket.Conn
	tcp   *net.TCPConn
	pings atomic.Int64
}

// tapped is a tap that runs, and pings, with its hub; deliver takes what comes.
func tapped(t *testing.T, deliver func([]byte)) (*tap, *far) {
	t.Helper()
	f := &far{}
	type tcp struct{}
	accepted, over := make(chan bool), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.tcp, _ = r.Context().Value(tcp{}).(*net.TCPConn)
		f.ws, _ = websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool {
			f.pings.Add(1)
			return true
		}})
		accepted <- true
		<-over
		_ = f.ws.CloseNow()
	}))
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, tcp{}, c) }
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	ws, _, err := websocket.Dial(t.Context(), server.URL, nil) //nolint:bodyclose // the library owns the body
	if err != nil {
		t.Fatal(err)
	}
	<-accepted
	tap := newTap(ws, "id", 1<<20, 10*time.Second, deliver, func([]byte, string) {})
	go tap.run()
	t.Cleanup(func() { tap.close(); <-tap.done })
	return tap, f
}

// listens reads at the hub's end, and so answers pings.
func (f *far) listens() { f.ws.CloseRead(context.Background()) }

func TestQuietHubIsHeardByItsPongs(t *testing.T) {
	tap, hub := tapped(t, func([]byte) {})
	hub.listens()
	go tap.ping(5 * time.Millisecond)
	began := time.Now()
	eventually(t, "heard again and again", func() bool {
		at, answered := tap.heardAt()
		return !answered.IsZero() && !answered.After(at) && at.After(began.Add(30*time.Millisecond))
	})
	if at, _ := tap.heardAt(); at.After(time.Now()) {
		t.Errorf("heard at %s", at)
	}
}

// A hub that leaves pings unanswered is not heard, and that is all.
func TestHubThatAnswersNoPing(t *testing.T) {
	got := make(chan string, 1)
	tap, hub := tapped(t, func(b []byte) { got <- string(b) })
	before, _ := tap.heardAt()
	tap.timeout = 50 * time.Millisecond
	pinged := make(chan struct{})
	go func() {
		for range 3 {
			tap.pong()
		}
		close(pinged)
	}()
	<-pinged
	if at, answered := tap.heardAt(); !answered.IsZero() || !at.Equal(before) || tap.over() {
		t.Errorf("heard at %s after %s, answered: %s, over: %v", at, before, answered, tap.over())
	}
	if err := hub.ws.Write(t.Context(), websocket.MessageText, []byte(record(`{"n":1}`))); err != nil {
		t.Fatal(err)
	}
	if b := <-got; b != `{"n":1}` {
		t.Errorf("delivered %s", b)
	}
	hub.listens()
	go tap.ping(5 * time.Millisecond)
	eventually(t, "answered at last", func() bool { _, answered := tap.heardAt(); return !answered.IsZero() })
}

// While a message waits, nobody would read an answer.
func TestNoPingWhileAMessageWaits(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	tap, hub := tapped(t, func([]byte) { close(entered); <-release })
	hub.listens()
	if err := hub.ws.Write(t.Context(), websocket.MessageText, []byte(record("1"))); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	go tap.ping(time.Millisecond)
	<-ctx.Done()
	if n := hub.pings.Load(); n > 0 {
		t.Errorf("%d pings", n)
	}
	close(release)
	eventually(t, "pinged", func() bool { _, answered := tap.heardAt(); return !answered.IsZero() })
}

// How a connection ends tells whether its hub was there until then.
func TestEndIsHeardWhenItIsTheHubs(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*tap, *far)
		old  bool // the hub answered pings, but not for long
		want bool
	}{
		{"close frame", func(_ *tap, f *far) { go func() { _ = f.ws.Close(websocket.StatusGoingAway, "") }() }, true, true},
		{"end of stream", func(_ *tap, f *far) { _ = f.tcp.CloseWrite() }, true, true},
		{"reset", func(_ *tap, f *far) { _ = f.tcp.SetLinger(0); _ = f.tcp.Close() }, false, true},
		{"reset after silence", func(_ *tap, f *far) { _ = f.tcp.SetLinger(0); _ = f.tcp.Close() }, true, false},
		{"our own closing", func(t *tap, _ *far) { t.close() }, true, false},
		{"our context", func(t *tap, _ *far) { t.cancel() }, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tap, hub := tapped(t, func([]byte) {})
			if c.old {
				long := time.Now().Add(-10 * time.Second)
				tap.heard.Store(&long)
				tap.ponged.Store(&long)
			}
			before := time.Now().Add(-time.Second) // an end is dated back by how long the reader was away
			c.end(tap, hub)
			<-tap.done
			if at, _ := tap.heardAt(); at.Before(before) == c.want {
				t.Errorf("heard %s before the end (%v)", before.Sub(at), *tap.fault.Load())
			}
		})
	}
}

// An end that was found behind a message that waited may be as old as that.
func TestEndThatWaitedIsNotHeardLater(t *testing.T) {
	entered, release := make(chan time.Time, 1), make(chan struct{})
	tap, hub := tapped(t, func([]byte) { entered <- time.Now(); <-release })
	if err := hub.ws.Write(t.Context(), websocket.MessageText, []byte(record("1"))); err != nil {
		t.Fatal(err)
	}
	came := <-entered
	_ = hub.tcp.CloseWrite()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	<-ctx.Done()
	close(release)
	<-tap.done
	if at, _ := tap.heardAt(); at.Sub(came) > 50*time.Millisecond {
		t.Error(fmt.Sprint("heard until ", at.Sub(came), " behind what came last"))
	}
}

// What is read by a process that was stopped may have come at any time since.
func TestWhatCameWhileNothingRanIsNotHeardLater(t *testing.T) {
	for _, c := range []struct {
		name  string
		awake bool // the sign of life comes before what is read
		end   func(*far)
	}{
		{"a message", false, func(f *far) { _ = f.ws.Write(context.Background(), websocket.MessageText, []byte(record("1"))) }},
		{"a message, read a little later", true, func(f *far) { _ = f.ws.Write(context.Background(), websocket.MessageText, []byte(record("1"))) }},
		{"end of stream", false, func(f *far) { _ = f.tcp.CloseWrite() }},
		{"end of stream, read a little later", true, func(f *far) { _ = f.tcp.CloseWrite() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan struct{}, 1)
			tap, hub := tapped(t, func([]byte) { got <- struct{}{} })
			slept := time.Now().Add(-6 * time.Second)
			tap.heard.Store(&slept)
			tap.lives(slept)
			if c.awake {
				tap.lives(time.Now().Add(time.Minute)) // so long, for a slow machine, is it a little later
			}
			c.end(hub)
			select {
			case <-got:
			case <-tap.done:
			}
			if at, _ := tap.heardAt(); !at.Equal(slept) {
				t.Errorf("heard %s behind the last sign of life", at.Sub(slept))
			}
		})
	}
}

// Who has been running hears when something comes, and a stopped process again
// once what it had missed is read.
func TestWhoRunsHearsAtOnce(t *testing.T) {
	tap, hub := tapped(t, func([]byte) {})
	hub.listens()
	long := time.Now().Add(-time.Minute)
	tap.lives(long)
	tap.lives(long.Add(6 * time.Second))
	go tap.live(time.Millisecond)
	eventually(t, "a sign of life", func() bool { return time.Since(*tap.lived.Load()) < drained })
	before := time.Now()
	eventually(t, "heard", func() bool {
		if err := hub.ws.Write(t.Context(), websocket.MessageText, []byte(record("1"))); err != nil {
			t.Fatal(err)
		}
		at, _ := tap.heardAt()
		return at.After(before)
	})
}

// A hub that answers pings is there again when it has answered one, and what was
// missed in two pauses came behind the beginning of the first.
func TestPausesEndWithAnAnswer(t *testing.T) {
	began := time.Now()
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	p := &tap{}
	ponged := at(1)
	p.ponged.Store(&ponged)
	for _, sign := range []float64{1, 5, 5.2, 9, 9.2} {
		p.lives(at(sign))
	}
	p.lives(at(10))
	if came := p.came(at(10.9)); !came.Equal(at(1)) {
		t.Errorf("before an answer: as if it came at %s", came.Sub(began))
	}
	ponged = at(9.5)
	if came := p.came(at(10.9)); !came.Equal(at(10.9)) {
		t.Errorf("after the answer: as if it came at %s", came.Sub(began))
	}
	p.lives(at(13))
	if came := p.came(at(13.1)); !came.Equal(at(10)) {
		t.Errorf("after another pause: as if it came at %s", came.Sub(began))
	}
}
