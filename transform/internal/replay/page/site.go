package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

// Options of a site.
type Options struct {
	Listen    string        // host and port
	Token     string        // empty: none is asked for, which only loopback should do
	Since     time.Duration // the window
	Numbers   bool          // telephone numbers in full
	RTE       stream.Span   // as it stands at the beginning
	Rules     Rules
	Connected func() bool // whether NATS is
	Now       func() time.Time
}

// Site is the pages, and the server in front of them.
type Site struct {
	options  Options
	listener net.Listener
	follower *follower
	pages    *pages
	guard    guard
	seats    chan struct{} // one for each reader that is kept up to date
}

const (
	mostCalls   = 20_000
	mostReaders = 32

	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = time.Minute
	drain         = 3 * time.Second
	headerBytes   = 16 << 10
)

// Open takes the address. Nothing is answered before Run.
func Open(ctx context.Context, js jetstream.JetStream, o Options) (*Site, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; is another replay serve there? --listen takes any address and port, such as 127.0.0.1:8098", o.Listen, err)
	}
	f := &follower{
		js: js, connected: o.Connected, rules: o.Rules, clock: o.Now,
		book: NewBook(o.Rules, o.Since, mostCalls), trouble: map[string]string{}, known: map[string]stream.Span{}, changed: make(chan struct{}), reading: map[string]uint64{},
	}
	f.rte.Store(&o.RTE)
	for _, s := range f.sources() {
		f.reading[s.name] = 0
	}
	return &Site{
		options: o, listener: listener, follower: f, pages: newPages(explain.Masking(!o.Numbers)),
		guard: guard{local: Loopback(o.Listen), token: o.Token}, seats: make(chan struct{}, mostReaders),
	}, nil
}

// URL to open, with the token where there is one.
func (s *Site) URL() string {
	at := url.URL{Scheme: "http", Host: s.listener.Addr().String(), Path: "/"}
	host, port, err := net.SplitHostPort(at.Host)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		at.Host = net.JoinHostPort("127.0.0.1", port)
	}
	if s.options.Token != "" {
		at.RawQuery = url.Values{"token": {s.options.Token}}.Encode()
	}
	return at.String()
}

// Run follows the streams and answers until ctx ends.
func (s *Site) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var following sync.WaitGroup
	following.Go(func() { s.follower.run(ctx) })
	defer following.Wait()
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerBytes, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.listener) }()
	select {
	case err := <-ended:
		stop()
		return fmt.Errorf("answer on %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(last)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// Handler of the pages.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /call/{id}", s.call)
	mux.HandleFunc("GET /events", s.events)
	mux.Handle("GET /assets/", assets())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.pages.refuse(w, r, refusal{
			http.StatusNotFound, "No such page", "There is the list of calls, and a page for each call.",
			[]string{"search the list for the caller's last digits, a user or the id of a call"},
		})
	})
	return s.guard.protect(mux, s.pages.refuse)
}
