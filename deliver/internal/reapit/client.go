package reapit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2/clientcredentials"
)

// Reapit's gateway cuts a request at 30 s; nothing can come after that.
const (
	requestLimit = 35 * time.Second
	connectLimit = 5 * time.Second
	maxAnswer    = 64 << 10 // bytes read of an answer to a notification
	maxPage      = 8 << 20  // bytes read of one page of negotiators
	maxHeader    = 64 << 10 // bytes read of an answer's header
	maxRequestID = 128      // bytes kept of it
	maxTokens    = 3        // fetched for one request

	// Reapit's load balancer may drop a connection that was idle for a minute,
	// just when the next call is written to it.
	idleLimit = 50 * time.Second
)

// Config is where Reapit is and as which application it is asked.
type Config struct {
	APIURL       string // REAPIT_API_URL
	TokenURL     string // REAPIT_TOKEN_URL
	ClientID     string // REAPIT_CLIENT_ID
	ClientSecret string // REAPIT_CLIENT_SECRET
	APIVersion   string // REAPIT_API_VERSION
	SharedToken  bool   // REAPIT_SHARED_TOKEN
	Concurrency  int    // REAPIT_CONCURRENCY: so many connections are kept for the next requests
}

// String leaves the secret out.
func (c Config) String() string {
	return fmt.Sprintf("%s (token %s, client %s, version %s)", c.APIURL, c.TokenURL, c.ClientID, c.APIVersion)
}

// LogValue leaves the secret out.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Client is one application's access to Reapit. It may be used concurrently.
type Client struct {
	// Admit waits until one more request may be made. Every request asks,
	// those for tokens and negotiators too. release ends the request's claim, and
	// is told how the request ended: an empty Result for those for tokens, which
	// are no requests to the platform.
	// Set it before the first request; nil admits all.
	Admit func(ctx context.Context) (release func(Result), err error)

	// Yield is told that a request has to wait for a token that somebody else is
	// fetching: who was admitted before it asked must not keep that one out.
	// Set it before the first request; it may be nil.
	Yield func(ctx context.Context)

	// Fetched is told how every request for a token ended: Answered when it
	// gave one. Set it before the first request; it may be nil.
	Fetched func(Kind)

	// Customers are all that there are, the first of them to be preferred where
	// Reapit gives one token for all (see guard). Set it before the first request; nil
	// prefers whoever asks first.
	Customers func() []string

	// Claim records, for longer than this process lasts, that a token is a
	// customer's until then, unless it is recorded as another's, and tells whose it
	// is. Of the token it is told a hash. Empty: there is no record. It is asked
	// behind a request for a token, and before that token is used. Set it before
	// the first request; it may be nil.
	Claim func(ctx context.Context, hash, customer string, until time.Time) (whose string)

	cfg     Config
	http    *http.Client
	oauth   clientcredentials.Config
	veil    veil
	tokens  tokens
	fetches sync.WaitGroup
	life    context.Context //nolint:containedctx // of fetches that outlive their callers
	end     context.CancelFunc
	guard   guard
	maxWait time.Duration
}

// New makes a Client. hc may be nil; of one that is given the transport is
// used, its redirect policy and a longer timeout are not.
func New(cfg Config, hc *http.Client) *Client {
	cfg.APIURL = strings.TrimRight(cfg.APIURL, "/")
	life, end := context.WithCancel(context.Background())
	return &Client{
		life: life, end: end,
		cfg:     cfg,
		http:    harden(hc, cfg.Concurrency),
		oauth:   credentials(cfg),
		veil:    veilOf(cfg),
		tokens:  tokens{of: map[string]*tokenSlot{}},
		maxWait: requestLimit,
	}
}

// Close ends what is being fetched and lets go of idle connections. Nothing is
// asked after it.
func (c *Client) Close() {
	c.end()
	c.fetches.Wait()
	c.http.CloseIdleConnections()
}

func harden(hc *http.Client, idle int) *http.Client {
	hardened := http.Client{Transport: transport(idle)}
	if hc != nil {
		hardened = *hc
	}
	if hardened.Transport == nil {
		hardened.Transport = transport(idle)
	}
	hardened.Transport = signed{hardened.Transport}
	hardened.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hardened
}

// transport keeps as many connections as there are requests at a time. There may
// be more for a moment: who finds none dials, and takes one that is given back
// sooner, so that under load each slow dial is one more. A bound of all of them
// (MaxConnsPerHost) would have requests wait for dials to a Reapit that is gone.
func transport(idle int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial,
		TLSHandshakeTimeout: connectLimit,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: idle,
		IdleConnTimeout:     idleLimit,

		MaxResponseHeaderBytes: maxHeader,

		// A dead connection is found before a call has to wait for it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: connectLimit},
	}
}

// dial makes connections whose end is a reset. One that is closed has nothing under
// way, or a request that was given up; or its process was killed. What the network
// has not taken of that by then must not come when a network that was cut is whole
// again, as it otherwise would: the call may be over.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: connectLimit, KeepAlive: 15 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails of one that has ended
	}
	return c, nil
}

// signed says who asks, also where the OAuth2 library builds the request.
type signed struct{ http.RoundTripper }

var userAgent = "ringstream/" + version()

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return strings.Trim(info.Main.Version, "()")
}

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // a RoundTripper must not change what it is given
	r.Header.Set("User-Agent", userAgent)
	return s.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections passes on what http.Client asks for.
func (s signed) CloseIdleConnections() {
	if t, ok := s.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Notify posts one notification, once.
func (c *Client) Notify(ctx context.Context, n Notification, traceparent string) Result {
	body, err := Body(n)
	if err != nil {
		return Result{Kind: Unsendable, Err: err}
	}
	r := c.ask(ctx, request{
		method: http.MethodPost, path: "/notifications/", customer: n.Customer,
		body: body, traceparent: traceparent, limit: maxAnswer,
	})
	r.Body = body
	return r.Result
}

type request struct {
	method, path string
	query        url.Values
	customer     string
	body         []byte
	traceparent  string
	limit        int64 // of the answer
}

// reply is a Result with what only this package needs.
type reply struct {
	Result
	body   []byte // of the answer
	broken error  // why there is no more of it
}

func (c *Client) ask(ctx context.Context, q request) reply {
	// The token comes first: it is a request of its own, and two claims held
	// by one request could wait for each other. It may expire in the queue.
	for try := 1; ; try++ {
		t, failed := c.token(ctx, q.customer)
		if failed != nil {
			return reply{Result: *failed}
		}
		release, err := c.admit(ctx)
		if err != nil {
			return reply{Result: Result{Kind: NotSent, Err: fmt.Errorf("wait for admission: %w", err)}}
		}
		if try < maxTokens && time.Now().After(t.until) {
			release(Result{Kind: NotSent})
			continue
		}
		a := c.send(ctx, q, t)
		release(a.Result)
		return a
	}
}

func (c *Client) admit(ctx context.Context) (func(Result), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.Admit == nil {
		return func(Result) {}, nil
	}
	release, err := c.Admit(ctx)
	if release == nil {
		release = func(Result) {}
	}
	return release, err
}

func (c *Client) send(ctx context.Context, q request, t token) reply {
	if t.customer != q.customer {
		return reply{Result: Result{Kind: Unsendable, Err: fmt.Errorf("ask reapit for %s: %w", q.customer, errForeign)}}
	}
	limited, cancel := context.WithTimeout(ctx, c.maxWait)
	defer cancel()
	r, err := c.build(limited, q, t)
	if err != nil {
		return reply{Result: Result{Kind: Unsendable, Err: err, setting: SettingAPIURL}}
	}
	var sent atomic.Bool
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}))
	started := time.Now()
	resp, err := c.http.Do(r)
	if err != nil {
		return reply{Result: Result{
			Kind: classify(ctx, err), Sent: sent.Load(), Err: c.veil.with(t).err(fmt.Errorf("ask reapit: %w", err)), Begun: started, Took: time.Since(started),
		}}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, q.limit))
	a := reply{body: body, broken: err, Result: Result{
		Kind: Answered, Sent: true, Status: resp.StatusCode, RequestID: requestID(resp.Header),
		RetryAfter: retryAfter(resp.Header, time.Now()), Begun: started, Took: time.Since(started), Path: strings.TrimSuffix(q.path, "/"),
	}}
	if a.OK() {
		if isPage(resp.Header, body) {
			a.Kind, a.Status, a.Path = Malformed, 0, ""
			a.Err = fmt.Errorf("ask reapit: %w: a page of HTML, with status %d", ErrMalformed, resp.StatusCode)
		}
		c.veil.with(t).result(&a.Result)
		return a
	}
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden {
		c.tokens.slot(q.customer).suspect(t)
	}
	a.Description, a.Errors = readProblem(resp.Header, body)
	c.veil.with(t).result(&a.Result)
	return a
}

func (c *Client) build(ctx context.Context, q request, t token) (*http.Request, error) {
	address := c.cfg.APIURL + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("address reapit by REAPIT_API_URL: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+t.secret)
	r.Header.Set("api-version", c.cfg.APIVersion)
	r.Header.Set("reapit-customer", q.customer)
	r.Header.Set("Accept", "application/json")
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.traceparent != "" {
		r.Header.Set("traceparent", q.traceparent)
	}
	return r, nil
}

// requestID is what Reapit's support asks for.
func requestID(header http.Header) string {
	id := header.Get("x-amzn-RequestId")
	return strings.ToValidUTF8(id[:min(len(id), maxRequestID)], "")
}
