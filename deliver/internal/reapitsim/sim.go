package reapitsim

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	maxBody   = 6 << 20
	requestID = "x-amzn-RequestId"
)

// Options are what a Sim starts with. Zero values of Now and Random mean the real ones.
type Options struct {
	ClientID, ClientSecret string
	Customers              []string
	Negotiators            Directory
	Now                    func() time.Time
	Random                 func(n int) int // 0 … n-1
}

// Sim is an http.Handler. Close it to end the requests that hang and the streams.
type Sim struct {
	options Options
	now     func() time.Time
	random  func(n int) int
	control http.Handler

	tokens  *tokens
	limits  *limits
	journal *journal
	faults  *faults
	meter   *meter

	mu          sync.Mutex
	knobs       Knobs
	latency     Latency
	negotiators Directory

	closeOnce sync.Once
	closed    chan struct{}
}

// New gives a Sim that knows the customers and negotiators of the options.
func New(options Options) *Sim {
	s := &Sim{
		options: options, now: options.Now, random: options.Random,
		tokens: newTokens(), limits: newLimits(), journal: newJournal(), faults: &faults{}, meter: newMeter(),
		closed: make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = mathrand.IntN
	}
	s.control = s.controlRoutes()
	s.reset()
	return s
}

// Close lets go of everything that waits for a client. It does not close listeners.
func (s *Sim) Close() { s.closeOnce.Do(func() { close(s.closed) }) }

func (s *Sim) reset() {
	s.mu.Lock()
	s.knobs, s.latency, s.negotiators = DefaultKnobs(), Latency{}, s.options.Negotiators.clone()
	s.mu.Unlock()
	s.tokens.revoke()
	s.limits.reset()
	s.journal.reset()
	s.faults.clear()
	s.meter.reset()
}

// exchange is one request under way.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	knobs  Knobs
	record *Request
	peek   peek

	customer string // for whom the request acts
	status   int    // of the answer that was written; 0 while there is none
	over     func() // nil, or what ends the request before its client can know of the end
}

func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newRequestID()
	w.Header()[requestID] = []string{id} // the spelling that Reapit uses
	if isControl(r.URL.Path) {
		s.control.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	x := &exchange{w: w, r: r, body: body, knobs: s.currentKnobs(), peek: peekBody(body), customer: r.Header.Get("reapit-customer")}
	started := s.now()
	x.record = s.journal.begin(x, id, started)
	defer func() {
		// Runs for dropped connections too, which leave by a panic that net/http knows.
		s.meter.answered(x.status)
		s.journal.finish(x, s.now().Sub(started))
	}()
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		x.write(gatewayMessage(http.StatusRequestEntityTooLarge, "Request Too Long"))
		return
	}
	s.route(x)
}

func (s *Sim) route(x *exchange) {
	switch {
	case x.is(http.MethodPost, "/oauth/token", "/token"):
		s.respond(x, s.issueToken)
	case x.is(http.MethodPost, "/notifications", "/notifications/"):
		s.platform(x, scopeNotifications, s.notify)
	case x.is(http.MethodGet, "/negotiators", "/negotiators/"):
		s.platform(x, scopeNegotiators, s.listNegotiators)
	case x.is(http.MethodGet) && negotiatorID(x.r.URL.Path) != "":
		s.platform(x, scopeNegotiators, s.oneNegotiator)
	default:
		x.write(gatewayMessage(http.StatusForbidden, "Missing Authentication Token"))
	}
}

// is reports whether the request has this method and, when any are given, one of these paths.
func (x *exchange) is(method string, paths ...string) bool {
	if x.r.Method != method {
		return false
	}
	for _, p := range paths {
		if x.r.URL.Path == p {
			return true
		}
	}
	return len(paths) == 0
}

func (s *Sim) currentKnobs() Knobs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knobs.clone()
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
