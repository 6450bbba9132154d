package bus

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// errUnusable means that a file of the settings is not what it must be; the
// error names the setting.
var errUnusable = errors.New("cannot be used")

// admission is how a connection proves who it is and finds out who the server
// is. Files are read at every attempt: what is replaced in them counts from the
// next connection on.
func (c Config) admission() []nats.Option {
	var opts []nats.Option
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.Creds != "" {
		opts = append(opts, nats.UserJWT(c.userToken, c.signature))
	}
	var certificate nats.TLSCertHandler
	var roots nats.RootCAsHandler
	if c.Cert != "" {
		certificate = c.certificate
	}
	if c.CA != "" {
		roots = c.roots
	}
	if certificate != nil || roots != nil {
		opts = append(opts, nats.ClientTLSConfig(certificate, roots))
	}
	return opts
}

// unusable are the files of the settings that are not what they must be.
func (c Config) unusable() map[string]string {
	bad := map[string]string{}
	for setting, try := range map[string]func() error{
		"NATS_CREDS": func() error { _, _, err := c.credentials(); return err },
		"NATS_CA":    func() error { _, err := c.roots(); return err },
		"NATS_KEY":   func() error { _, err := c.certificate(); return err },
	} {
		if err := try(); err != nil {
			bad[setting] = strings.TrimPrefix(err.Error(), setting+" ")
		}
	}
	return bad
}

func (c Config) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if c.CA == "" {
		return pool, nil
	}
	text, err := os.ReadFile(c.CA)
	switch {
	case err != nil:
		return nil, fmt.Errorf("NATS_CA %w: %w", errUnusable, err)
	case !pool.AppendCertsFromPEM(text):
		return nil, fmt.Errorf("NATS_CA %w: no certificate is in %s", errUnusable, c.CA)
	}
	return pool, nil
}

// certificate is that of NATS_CERT with its key. The error never holds
// NATS_KEY, which may be the key itself.
func (c Config) certificate() (tls.Certificate, error) {
	if c.Cert == "" || c.Key == "" {
		return tls.Certificate{}, nil
	}
	text, err := os.ReadFile(c.Cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("NATS_CERT %w: %w", errUnusable, err)
	}
	key := []byte(strings.TrimSpace(c.Key))
	if !strings.HasPrefix(string(key), "-----BEGIN") {
		if key, err = os.ReadFile(c.Key); err != nil {
			return tls.Certificate{}, fmt.Errorf("NATS_KEY %w: it names no file: %w", errUnusable, withoutPath(err))
		}
	}
	pair, err := tls.X509KeyPair(text, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("NATS_KEY %w with NATS_CERT: %w", errUnusable, err)
	}
	return pair, nil
}

func withoutPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// credentials are the token and the key of NATS_CREDS.
func (c Config) credentials() (token string, key nkeys.KeyPair, err error) {
	if c.Creds == "" {
		return "", nil, nil
	}
	text, err := os.ReadFile(c.Creds)
	if err != nil {
		return "", nil, fmt.Errorf("NATS_CREDS %w: %w", errUnusable, err)
	}
	defer clear(text)
	token, err = nkeys.ParseDecoratedJWT(text)
	if err == nil {
		key, err = nkeys.ParseDecoratedUserNKey(text)
	}
	if err != nil {
		return "", nil, fmt.Errorf("NATS_CREDS %w: no credentials of a user are in %s: %w", errUnusable, c.Creds, err)
	}
	return token, key, nil
}

func (c Config) userToken() (string, error) {
	token, key, err := c.credentials()
	if err == nil {
		key.Wipe()
	}
	return token, err
}

func (c Config) signature(nonce []byte) ([]byte, error) {
	_, key, err := c.credentials()
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return key.Sign(nonce)
}

// explain says which setting to look at after a connection was not made.
func explain(err error, c Config) error {
	hint := "is a server running there? (NATS_URL)"
	var untrusted *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.Is(err, errUnusable):
		return fmt.Errorf("connect to NATS at %s: %w", c.Redacted(), err)
	case unauthorized(err):
		hint = c.refused(time.Now())
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted), errors.As(err, &record):
		hint = "one side wants TLS and the other does not (tls:// or nats:// in NATS_URL)"
	case errors.As(err, &untrusted):
		hint = "its certificate is not trusted (NATS_CA)"
	case errors.As(err, &alert) && alert.Op == "remote error", errors.Is(err, nats.ErrTLS):
		hint = "the server refused the client certificate (NATS_CERT, NATS_KEY)"
		if c.Cert == "" {
			hint = "the server wants a client certificate (NATS_CERT, NATS_KEY)"
		}
	}
	return fmt.Errorf("connect to NATS at %s: %w; %s", c.Redacted(), err, hint)
}

func unauthorized(err error) bool {
	for _, known := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// refused names the credentials that were shown in vain.
func (c Config) refused(now time.Time) string {
	var shown []string
	if c.Creds != "" {
		shown = append(shown, "NATS_CREDS"+c.expired(now))
	}
	for _, s := range c.Servers() {
		if u, err := url.Parse(s); err == nil && u.User != nil {
			shown = append(shown, "user and password in NATS_URL")
			break
		}
	}
	if c.User != "" {
		shown = append(shown, "NATS_USER, NATS_PASSWORD")
	}
	if c.Cert != "" {
		shown = append(shown, "NATS_CERT")
	}
	if len(shown) == 0 {
		return "it wants credentials: NATS_CREDS, NATS_USER and NATS_PASSWORD, or NATS_CERT and NATS_KEY"
	}
	return "the server refused the credentials (" + strings.Join(shown, "; ") + ")"
}

// expired tells of credentials that are out of date. Whether they are good
// otherwise only the server knows.
func (c Config) expired(now time.Time) string {
	token, err := c.userToken()
	if err != nil {
		return ""
	}
	var claims struct {
		Expires int64 `json:"exp"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expires == 0 || now.Unix() < claims.Expires {
		return ""
	}
	return ", which has expired at " + time.Unix(claims.Expires, 0).UTC().Format(time.RFC3339)
}
