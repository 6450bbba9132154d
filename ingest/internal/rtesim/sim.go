package rtesim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ringstream/ingest/internal/rte"
)

// Sim is a running simulator. Its methods do what the control API does.
type Sim struct {
	settings Settings
	hub      *hub
	player   *player
	server   *http.Server
	url      string
	life     context.Context
	stop     context.CancelFunc
	served   chan error
}

type gateKey struct{}

// Start listens and serves until Close.
func Start(settings Settings, log *slog.Logger) (*Sim, error) {
	if err := settings.validate(); err != nil {
		return nil, err
	}
	rules, err := rulesOf(settings)
	if err != nil {
		return nil, err
	}
	listener, err := listen(settings.Addr)
	if err != nil {
		return nil, err
	}
	f := &faults{}
	h := &hub{
		settings: settings, authority: newAuthority(settings, f), faults: f, rules: rules,
		sent: &sentLog{limit: settings.SentLimit}, log: log, turn: make(chan struct{}, 1),
	}
	h.coalesce.Store(int64(settings.Coalesce))
	s := &Sim{settings: settings, hub: h, player: &player{hub: h}, url: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	s.life, s.stop = context.WithCancel(context.Background())
	s.server = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return s.life },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, gateKey{}, c) },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() { s.served <- s.server.Serve(listener) }()
	if err := writeAddr(settings.AddrFile, s.url); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// rulesOf lets subscribe what the catalogue, the settings and the embedded
// scenarios name.
func rulesOf(settings Settings) (*rules, error) {
	names := slices.Clone(settings.Events)
	for _, name := range ScenarioNames() {
		s, err := Named(name)
		if err != nil {
			return nil, err
		}
		names = append(names, s.eventTypes()...)
	}
	return newRules(Agency().Organization, names, settings.Unauthorized), nil
}

func listen(addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return gatedListener{l.(*net.TCPListener)}, nil // "tcp" always gives one
}

// writeAddr writes the file in one step, so that a reader never sees a half.
func writeAddr(file, url string) error {
	if file == "" {
		return nil
	}
	draft := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".new")
	if err := os.WriteFile(draft, []byte(url+"\n"), 0o644); err != nil {
		return fmt.Errorf("write address file: %w", err)
	}
	if err := os.Rename(draft, file); err != nil {
		return fmt.Errorf("write address file: %w", err)
	}
	return nil
}

func (s *Sim) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/user", s.hub.authority.discover)
	mux.HandleFunc("GET /api/user/{$}", s.hub.authority.discover)
	mux.HandleFunc("GET /token/{user}/rte", s.hub.authority.token)
	mux.HandleFunc("GET /token/{user}/rte/{$}", s.hub.authority.token)
	mux.HandleFunc("POST "+hubPath+"/negotiate", s.hub.negotiate)
	mux.HandleFunc("GET "+hubPath, s.hub.connect)
	s.control(mux)
	return mux
}

// URL is where it listens, such as http://127.0.0.1:4711.
func (s *Sim) URL() string { return s.url }

// Served gives the error that ended serving, if it was not Close.
func (s *Sim) Served() <-chan error { return s.served }

// closePatience is how long requests have to end once their context has.
const closePatience = 2 * time.Second

// Close ends every connection and play, and waits for them.
func (s *Sim) Close() error {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = s.server.Shutdown(ctx) // no new request after this; what is left ends by Close
	err := s.server.Close()
	s.player.playing.Wait()
	s.hub.serving.Wait()
	if err != nil {
		return fmt.Errorf("close simulator: %w", err)
	}
	return nil
}

// Connection is one client of the hub.
type Connection struct {
	ID            string             `json:"id"`
	User          string             `json:"user"`
	Remote        string             `json:"remote"`
	Since         time.Time          `json:"since"`
	Sent          int64              `json:"sent"`
	Silent        bool               `json:"silent"`
	Subscriptions []rte.Subscription `json:"subscriptions"`
}

// Connections lists them in the order of connecting.
func (s *Sim) Connections() []Connection {
	all := []Connection{}
	for _, c := range s.hub.list() {
		all = append(all, Connection{
			c.id, c.user, c.gate.RemoteAddr().String(), c.since, c.sent.Load(), c.gate.muted(), c.subs.list(),
		})
	}
	return all
}

// Send sends outside a scenario. It returns when the writers have all of it.
func (s *Sim) Send(ctx context.Context, what Send) (SendResult, error) { return s.hub.send(ctx, what) }

// Play starts a play; finished is closed at its end.
func (s *Sim) Play(ctx context.Context, what Play) (state func() Playing, finished <-chan struct{}, err error) {
	p, err := s.player.start(ctx, s.life, what)
	if err != nil {
		return nil, nil, err
	}
	return p.snapshot, p.done, nil
}

// Drop ends a connection, or all of them when the id is empty, and tells how
// many. message goes into the close frame of the modes that have one.
func (s *Sim) Drop(mode, connection, message string) (int, error) {
	e := ending{mode: mode}
	switch mode {
	case DropClose:
		e.record = rte.AppendClose(nil, message, false)
	case DropCloseReconnect:
		e.record = rte.AppendClose(nil, message, true)
	case DropEOF, DropReset, DropSilent:
	default:
		return 0, fmt.Errorf("unknown mode %q, known are %v", mode,
			[]string{DropClose, DropCloseReconnect, DropEOF, DropReset, DropSilent})
	}
	n := 0
	for _, c := range s.hub.list() {
		if (connection == "" || connection == c.id) && c.end(e) {
			n++
		}
	}
	return n, nil
}

// Fail makes requests fail.
func (s *Sim) Fail(f Fault) error { return s.hub.faults.add(f) }

// Stall stops all writing for a time, pings too, but not the answers to pings of
// the WebSocket, which no hub gives itself; 0 lets it go on.
func (s *Sim) Stall(d time.Duration) { s.hub.setStall(d) }

// Coalesce puts up to n waiting records into one WebSocket message.
func (s *Sim) Coalesce(n int) { s.hub.coalesce.Store(int64(max(1, n))) }

// Unauthorized replaces the entities whose subscription is refused. Those that
// are subscribed stay so.
func (s *Sim) Unauthorized(entityIDs ...string) { s.hub.rules.refuse(entityIDs) }

// Sent shows what was sent on a connection, or on all when it is empty.
func (s *Sim) Sent(connection string, offset, limit int) SentPage {
	return s.hub.sent.page(connection, offset, limit)
}

// Attendances tells who was subscribed to how much, and when, oldest first.
func (s *Sim) Attendances() []Attendance { return s.hub.book.list() }

// Reset stops plays and forgets what was sent, faults, stall and refusals.
// Connections stay.
func (s *Sim) Reset() {
	s.player.stopAll()
	s.hub.sent.clear()
	s.hub.book.clear()
	s.hub.faults.clear()
	s.hub.setStall(0)
	s.hub.coalesce.Store(int64(s.settings.Coalesce))
	s.hub.rules.refuse(s.settings.Unauthorized)
}
