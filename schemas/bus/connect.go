package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	dialTimeout    = 5 * time.Second
	firstRetry     = 250 * time.Millisecond
	longestRetry   = 5 * time.Second
	publishTimeout = 5 * time.Second // an ack that takes longer counts as lost
)

// Dial connects once. name is shown by the server and makes the inbox prefix
// _INBOX_<name>, so that permissions can be given per service. The error names
// the setting to look at.
func Dial(cfg Config, name string, extra ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("ringstream " + name), nats.CustomInboxPrefix("_INBOX_" + name),
		nats.Timeout(dialTimeout),
	}
	if cfg.User != "" {
		opts = append(opts, nats.UserInfo(cfg.User, cfg.Password))
	}
	if cfg.Creds != "" {
		if _, err := os.Stat(cfg.Creds); err != nil {
			return nil, fmt.Errorf("read NATS_CREDS: %w", err)
		}
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	if cfg.CA != "" {
		opts = append(opts, nats.RootCAs(cfg.CA))
	}
	if cfg.Cert != "" {
		cert, err := clientCertificate(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, err
		}
		opts = append(opts, cert)
	}
	nc, err := nats.Connect(strings.Join(cfg.Servers(), ","), append(opts, extra...)...)
	if err != nil {
		return nil, explain(err, cfg)
	}
	return nc, nil
}

func clientCertificate(certPath, key string) (nats.Option, error) {
	if !strings.HasPrefix(key, "-----BEGIN") {
		return nats.ClientCert(certPath, key), nil
	}
	pem, err := os.ReadFile(certPath) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read NATS_CERT: %w", err)
	}
	pair, err := tls.X509KeyPair(pem, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("use NATS_CERT and NATS_KEY: %w", err)
	}
	return nats.Secure(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

func explain(err error, cfg Config) error {
	hint := "is a server running there? (NATS_URL)"
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		hint = "the server refused the credentials (NATS_CREDS, NATS_USER, NATS_PASSWORD)"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted), errors.As(err, &record):
		hint = "one side wants TLS and the other does not (tls:// or nats:// in NATS_URL)"
	case errors.As(err, &certificate):
		hint = "its certificate is not trusted (NATS_CA)"
	}
	return fmt.Errorf("connect to NATS at %s: %w; %s", cfg.Redacted(), err, hint)
}

// Redacted is NATS_URL without passwords.
func (c Config) Redacted() string {
	servers := c.Servers()
	for i, s := range servers {
		if u, err := url.Parse(s); err == nil {
			servers[i] = u.Redacted()
		}
	}
	return strings.Join(servers, ",")
}

// Connect connects and stays connected: it retries until ctx ends, and the
// connection it returns reconnects without end. It logs what keeps it from
// connecting. The only error is that of ctx.
func Connect(ctx context.Context, cfg Config, name string, log *slog.Logger) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(firstRetry),
		nats.ReconnectJitter(firstRetry, firstRetry), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() { // which was wanted
				log.Warn("disconnected from NATS", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS again", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			log.Warn("NATS refused something", "error", err, "subject", subjectOf(sub))
		}),
	}
	var nc *nats.Conn
	err := retry(ctx, log, func() (err error) {
		nc, err = Dial(cfg, name, opts...)
		return err
	})
	return nc, err
}

func subjectOf(sub *nats.Subscription) string {
	if sub == nil {
		return ""
	}
	return sub.Subject
}

// JetStream opens JetStream on a connection with the limits that a pipelined,
// fenced writer needs: acks that time out, and no silent repeats.
func JetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(publishTimeout),
		jetstream.WithPublishAsyncMaxPending(4*defaultWindow), jetstream.WithDefaultTimeout(dialTimeout))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return js, nil
}

// retry repeats an operation with jittered exponential waits until it
// succeeds or ctx ends, and logs each different error once a minute at most.
func retry(ctx context.Context, log *slog.Logger, operation func() error) error {
	wait := firstRetry
	var last string
	var said time.Time
	for {
		err := operation()
		if err == nil {
			return nil
		}
		if err.Error() != last || time.Since(said) > time.Minute {
			log.Error("retrying", "error", err)
			last, said = err.Error(), time.Now()
		}
		if !pause(ctx, wait/2+rand.N(wait)) {
			return context.Cause(ctx)
		}
		wait = min(2*wait, longestRetry)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
