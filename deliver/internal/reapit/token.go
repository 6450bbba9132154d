package reapit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	// Reapit gives the same token again while it has five minutes left, so a
	// margin of more than that would ask again and again.
	tokenMargin = 30 * time.Second
	// tokenLife is that of a token of which nothing is said.
	tokenLife = 5 * time.Minute
	// longestLife is how long such a token may be good for.
	longestLife = time.Hour
)

func credentials(cfg Config) clientcredentials.Config {
	return clientcredentials.Config{
		ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, TokenURL: cfg.TokenURL,
		AuthStyle:      oauth2.AuthStyleInHeader,
		EndpointParams: url.Values{"client_id": {cfg.ClientID}}, // besides Basic, as Reapit documents it
	}
}

type token struct {
	secret   string
	customer string    // for whom it may be used
	until    time.Time // when to have another
	ends     time.Time
}

// tokens keeps one token for each customer: Reapit's gateway is known to have
// remembered for which customer a token was first used, and to have sent later
// requests there.
type tokens struct {
	mu sync.Mutex
	of map[string]*tokenSlot
}

func (t *tokens) slot(customer string) *tokenSlot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.of[customer]
	if !ok {
		s = &tokenSlot{turn: make(chan struct{}, 1)}
		t.of[customer] = s
	}
	return s
}

// tokenSlot holds one customer's token. Who has the turn may fetch another.
type tokenSlot struct {
	turn chan struct{}

	mu      sync.Mutex
	held    token
	refused string    // the token that Reapit last answered with 401
	rounds  int       // fetches that ended
	failed  *Result   // how the last one failed
	spared  time.Time // nobody need ask before: the answer would be the same
}

func (s *tokenSlot) valid() (token, int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.rounds, s.held.secret != "" && time.Now().Before(s.held.until)
}

// failedSince gives the failure of a fetch that ended after round: who waited
// for that fetch need not ask the same again.
func (s *tokenSlot) failedSince(round int) *Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rounds == round {
		return nil
	}
	return s.failed
}

func (s *tokenSlot) settle(t token, failed *Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rounds++
	s.failed = failed
	if failed == nil {
		s.held = t
	} else if failed.Kind == TokenShared {
		s.spared = time.Now().Add(sharedPause)
	}
}

// known gives the failure that asking again would only repeat, if any.
func (s *tokenSlot) known() *Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil || !time.Now().Before(s.spared) {
		return nil
	}
	return s.failed
}

func (s *tokenSlot) suspect(t token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = t.secret
}

// RefreshToken drops the customer's token, so that the next request fetches
// one. A token that was fetched since the last 401 stays: of several requests
// that got a 401 for one token, only the first has an effect.
func (c *Client) RefreshToken(customer string) {
	s := c.tokens.slot(customer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == "" || s.refused == s.held.secret {
		s.held = token{}
	}
}

func (c *Client) token(ctx context.Context, customer string) (token, *Result) {
	s := c.tokens.slot(customer)
	t, round, ok := s.valid()
	if ok {
		return t, nil
	}
	if err := c.await(ctx, s.turn); err != nil {
		return token{}, gaveUp(err)
	}
	if t, _, ok := s.valid(); ok {
		<-s.turn
		return t, nil
	}
	for _, failed := range []*Result{s.failedSince(round), s.known()} {
		if failed != nil {
			<-s.turn
			return token{}, failed
		}
	}
	return c.fetchFor(ctx, customer, s)
}

// fetchFor fetches a token for as long as it takes, whoever has the turn for it,
// and returns it if ctx is as patient: an endpoint that is slower than
// what rings may wait must not be asked in vain again and again.
func (c *Client) fetchFor(ctx context.Context, customer string, s *tokenSlot) (token, *Result) {
	type answer struct {
		token  token
		failed *Result
	}
	got := make(chan answer, 1)
	c.fetches.Go(func() {
		defer func() { <-s.turn }()
		patient, cancel := c.outliving(ctx)
		defer cancel()
		t, failed := c.fetch(patient, customer)
		s.settle(t, failed)
		got <- answer{t, failed}
	})
	select {
	case a := <-got:
		return a.token, a.failed
	case <-ctx.Done():
		failed := gaveUp(ctx.Err())
		failed.setting = SettingTokenURL // it said nothing for as long as could be waited
		return token{}, failed
	}
}

// outliving is ctx without its end, until Close.
func (c *Client) outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*c.maxWait)
	stop := context.AfterFunc(c.life, cancel)
	return patient, func() { stop(); cancel() }
}

// await takes the turn, but for nobody who has left.
func (c *Client) await(ctx context.Context, turn chan struct{}) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	if c.Yield != nil {
		c.Yield(ctx)
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func gaveUp(err error) *Result {
	return &Result{Kind: NotSent, Err: fmt.Errorf("wait for a token: %w", err)}
}

// fetch gets a token that is this customer's and nobody else's.
func (c *Client) fetch(ctx context.Context, customer string) (token, *Result) {
	t, failed := c.request(ctx, customer)
	if failed != nil || c.cfg.SharedToken {
		return t, failed
	}
	leader := c.guard.leader(customer, c.customers())
	if c.guard.owner(t).customer == "" && customer != leader {
		first := t
		if t, failed = c.request(ctx, customer); failed != nil {
			return t, failed
		}
		if t.secret == first.secret {
			c.claim(ctx, t, leader)
		}
	}
	o := c.claim(ctx, t, customer)
	switch {
	case ctx.Err() != nil: // perhaps it could not be asked whose the token is
		return token{}, gaveUp(ctx.Err())
	case o.customer != customer:
		return token{}, shared(customer, o)
	}
	return t, nil
}

func (c *Client) customers() []string {
	if c.Customers == nil {
		return nil
	}
	return c.Customers()
}

// request asks for a token, whoever may have been given the same.
func (c *Client) request(ctx context.Context, customer string) (token, *Result) {
	release, err := c.admit(ctx)
	if err != nil {
		return token{}, gaveUp(err)
	}
	defer release(Result{})
	limited, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, c.http), c.maxWait)
	defer cancel()
	now := time.Now()
	got, err := c.oauth.Token(limited)
	t, failed := token{}, (*Result)(nil)
	switch {
	case err == nil:
		t = token{got.AccessToken, customer, renewal(now, got.Expiry), ending(now, got.Expiry)}
	case ctx.Err() != nil:
		failed = gaveUp(ctx.Err())
		failed.setting = SettingTokenURL // it was asked, and said nothing for as long as could be waited
	default:
		failed = tokenFailure(err)
		failed.Err = c.veil.err(fmt.Errorf("get a token for %s: %w", customer, failed.Err))
		c.veil.result(failed)
	}
	c.fetched(failed)
	return t, failed
}

func (c *Client) fetched(failed *Result) {
	switch {
	case c.Fetched == nil:
	case failed == nil:
		c.Fetched(Answered)
	default:
		c.Fetched(failed.Kind)
	}
}

// renewal is when to have another token than one that ends at expiry.
func renewal(now, expiry time.Time) time.Time {
	if !expiry.After(now) { // zero, when nothing was said
		expiry = now.Add(tokenLife)
	}
	return expiry.Add(-min(tokenMargin, expiry.Sub(now)/5))
}

// ending is when a token is none any more, at the latest.
func ending(now, expiry time.Time) time.Time {
	if !expiry.After(now) {
		return now.Add(longestLife)
	}
	return expiry
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// tokenFailure tells what the operator can do about it. The error of the
// OAuth2 library is not passed on: it quotes the answer.
func tokenFailure(err error) *Result {
	var refusal *oauth2.RetrieveError
	if !errors.As(err, &refusal) {
		var transport *url.Error
		if errors.As(err, &transport) {
			return &Result{Kind: TokenUnreachable, setting: SettingTokenURL, Err: fmt.Errorf("reach REAPIT_TOKEN_URL: %w", err)}
		}
		return &Result{Kind: TokenUnreachable, setting: SettingTokenURL, Err: errors.New("REAPIT_TOKEN_URL answered without a token")}
	}
	r := &Result{
		Kind: TokenUnreachable, setting: SettingTokenURL, Description: refusal.ErrorDescription,
		RetryAfter: retryAfter(refusal.Response.Header, time.Now()), RequestID: requestID(refusal.Response.Header),
	}
	status, said := refusal.Response.StatusCode, refusal.Response.Status
	if errorCode.MatchString(refusal.ErrorCode) {
		said += " " + refusal.ErrorCode
	}
	switch {
	case refusal.ErrorCode == "invalid_client", refusal.ErrorCode == "unauthorized_client", status == http.StatusUnauthorized:
		r.Kind, r.setting = TokenRefused, SettingCredentials
		r.Err = fmt.Errorf(SettingCredentials+" is not accepted: %s", said)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		r.Err = fmt.Errorf("REAPIT_TOKEN_URL answered %s", said)
	default:
		r.Kind = TokenRefused
		r.Err = fmt.Errorf("REAPIT_TOKEN_URL does not accept the request: %s", said)
	}
	return r
}
