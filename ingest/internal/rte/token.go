package rte

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What can be wrong between ingest and the REST API.
var (
	ErrUnauthorized = errors.New("the REST API refused the credentials (ENREACH_USERNAME, ENREACH_SECRET_KEY)")
	ErrUnknownUser  = errors.New("discovery knows no such user (ENREACH_USERNAME)")
	ErrUnreachable  = errors.New("no usable answer")
	ErrMalformed    = errors.New("answer not understood")
)

const (
	restTimeout = 10 * time.Second
	answerLimit = 1 << 20
)

// Secret is text that does not print. Convert it to string to use it.
type Secret string

const hidden = "(redacted)"

func (Secret) String() string { return hidden }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return hidden }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON implements [json.Marshaler].
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// Grant is the right to open one connection to the hub.
type Grant struct {
	Hub     string // http or https URL without a trailing slash
	Token   Secret
	Expires time.Time // by our clock; zero where the token does not tell
}

// Host is the host of the hub, with its port where it has one.
func (g Grant) Host() string {
	u, err := url.Parse(g.Hub)
	if err != nil {
		return ""
	}
	return u.Host
}

// API is the REST side of RTE: it says where the hub is and lets clients in.
type API struct {
	URL          string // base; empty: discovered each time
	DiscoveryURL string
	Username     string
	SecretKey    Secret
	User         string // whose token; "me" is the user himself
	HTTP         *http.Client

	known string // base that was discovered last
}

// Discover returns the base URL of the REST API, without a trailing slash.
func (a *API) Discover(ctx context.Context) (string, error) {
	if a.URL != "" {
		return strings.TrimRight(a.URL, "/"), nil
	}
	u, err := url.Parse(a.DiscoveryURL)
	if err != nil {
		return "", fmt.Errorf("discover the REST API: %w: ENREACH_DISCOVERY_URL is no URL", ErrMalformed)
	}
	query := u.Query()
	query.Set("user", a.Username)
	u.RawQuery = query.Encode()
	var found []struct{ Username, APIEndpoint string }
	if err := a.ask(ctx, u.String(), nil, &found, "an array of objects with apiEndpoint"); err != nil {
		return "", fmt.Errorf("discover the REST API (ENREACH_DISCOVERY_URL): %w", err)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("discover the REST API: %w", ErrUnknownUser)
	}
	chosen := found[0].APIEndpoint
	for _, account := range found {
		if strings.EqualFold(account.Username, a.Username) {
			chosen = account.APIEndpoint
			break
		}
	}
	base, err := endpoint(chosen)
	if err != nil {
		return "", fmt.Errorf("discover the REST API: %w: apiEndpoint: %w", ErrMalformed, err)
	}
	return base, nil
}

// base discovers, and falls back on what was discovered before when discovery is
// away: it is not needed as long as nothing has moved.
func (a *API) base(ctx context.Context) (string, error) {
	base, err := a.Discover(ctx)
	if errors.Is(err, ErrUnreachable) && a.known != "" {
		return a.known, nil
	}
	a.known = base
	return base, err
}

// Grant fetches a new token for the hub. It is not for concurrent use.
func (a *API) Grant(ctx context.Context) (Grant, error) {
	base, err := a.base(ctx)
	if err != nil {
		return Grant{}, err
	}
	// Names match in any casing: WssEndpoint, WSSEndpoint.
	var answer struct{ WssEndpoint, Token string }
	if err := a.ask(ctx, base+"/token/"+url.PathEscape(a.User)+"/rte/", a.sign, &answer, "an object with WssEndpoint and Token"); err != nil {
		return Grant{}, fmt.Errorf("get an RTE token: %w", err)
	}
	if answer.Token == "" {
		return Grant{}, fmt.Errorf("get an RTE token: %w: no Token in it", ErrMalformed)
	}
	hub, err := endpoint(answer.WssEndpoint)
	if err != nil {
		return Grant{}, fmt.Errorf("get an RTE token: %w: WssEndpoint: %w", ErrMalformed, err)
	}
	return Grant{Hub: hub, Token: Secret(answer.Token), Expires: expiry(answer.Token, time.Now())}, nil
}

// expiry reads when a token that was issued just now expires. It is a JWT; where
// it tells when it was issued, our clock need not be right. Only the hub can
// know whether it is genuine.
func expiry(token string, now time.Time) time.Time {
	var claims struct{ Exp, Iat float64 }
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}
	}
	if life := claims.Exp - claims.Iat; claims.Iat > 0 && life > 0 && life < century {
		return now.Add(time.Duration(life * float64(time.Second)))
	}
	return time.Unix(int64(min(claims.Exp, endOfTime)), 0)
}

const (
	century   = 100 * 365 * 24 * 60 * 60 // seconds; what is longer is no life of a token
	endOfTime = 1 << 40
)

// endpoint makes an http or https URL without a trailing slash of what the API
// writes: with a scheme of either kind, or with none, which means https.
func endpoint(s string) (string, error) {
	s = strings.TrimRight(strings.TrimSpace(s), "/")
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "https", s
	}
	switch strings.ToLower(scheme) {
	case "wss", "https":
		s = "https://" + rest
	case "ws", "http":
		s = "http://" + rest
	default:
		return "", fmt.Errorf("scheme %q is unknown", scheme)
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return "", errors.New("is no plain URL")
	}
	return s, nil
}

func (a *API) sign(request *http.Request) { request.SetBasicAuth(a.Username, string(a.SecretKey)) }

// ask gets an answer in JSON; want says of what form, for people. Without sign
// the request carries no credentials, so that none can be refused.
func (a *API) ask(ctx context.Context, address string, sign func(*http.Request), answer any, want string) error {
	ctx, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, bare(err))
	}
	request.Header.Set("Accept", "application/json")
	if sign != nil {
		sign(request)
	}
	response, err := a.HTTP.Do(request)
	if err != nil {
		return fmt.Errorf("%w from %s: %w", ErrUnreachable, request.URL.Host, Explain(err))
	}
	defer func() { _ = response.Body.Close() }()
	if err := refusal(response, sign != nil); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("%w from %s: %w", ErrUnreachable, request.URL.Host, Explain(err))
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%w from %s: want %s in JSON", ErrMalformed, request.URL.Host, want)
	}
	return nil
}

func refusal(response *http.Response, signed bool) error {
	code, host := response.StatusCode, response.Request.URL.Host
	switch {
	case code == http.StatusOK:
		return nil
	case signed && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return fmt.Errorf("%w: HTTP %d", ErrUnauthorized, code)
	case signed && code == http.StatusNotFound:
		return fmt.Errorf("%w: HTTP 404 from %s; is ENREACH_RTE_USER or ENREACH_API_URL wrong?", ErrUnreachable, host)
	default:
		return fmt.Errorf("%w: HTTP %d from %s", ErrUnreachable, code, host)
	}
}

// Explain names the kind of a network failure in words, without the URL, which
// may hold what is not to be shown.
func Explain(err error) error {
	err = bare(err)
	var dns *net.DNSError
	var untrusted x509.UnknownAuthorityError
	var misnamed x509.HostnameError
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("DNS does not resolve %q: %w", dns.Name, err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("TLS failed, the server does not speak it: %w", err)
	case errors.As(err, &untrusted):
		return fmt.Errorf("TLS failed, the certificate is not trusted (SSL_CERT_FILE can name the CAs to trust): %w", err)
	case errors.As(err, &misnamed), errors.As(err, &verification):
		return fmt.Errorf("TLS failed, the certificate is not trusted: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("timed out: %w", err)
	default:
		return err
	}
}

// bare takes the URL out of an error of net/http.
func bare(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}
