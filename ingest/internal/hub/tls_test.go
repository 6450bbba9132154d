package hub

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
)

func grantOf(hub string) func(context.Context) (rte.Grant, error) {
	return func(context.Context) (rte.Grant, error) { return rte.Grant{Hub: hub, Token: "s3cret"}, nil }
}

// secured puts a server with a certificate of its own, which speaks HTTP/2 with
// whoever can, in front of another.
func secured(t *testing.T, target string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// trusting is a client as ingest makes it that trusts one server's certificate,
// or none.
func trusting(t *testing.T, server *httptest.Server) *http.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http says so
	t.Cleanup(transport.CloseIdleConnections)
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	if server != nil {
		transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	}
	return &http.Client{Transport: transport}
}

// heard is a sink that tells of messages.
type heard struct {
	nobody
	messages chan string
}

func (h heard) Message(argument []byte) { h.messages <- string(argument) }

func TestHubOverTLS(t *testing.T) {
	sim, err := rtesim.Start(rtesim.Defaults(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	server := secured(t, sim.URL())
	api := rte.API{URL: sim.URL(), Username: "demo@agency.example", SecretKey: "demo-secret", User: "me", HTTP: trusting(t, nil)}
	messages := make(chan string, 10)
	h := &Hub{Sink: heard{messages: messages}, Observe: nobody{}, HTTP: trusting(t, server), Limits: DefaultLimits(), Log: slog.New(slog.DiscardHandler)}
	h.Source.Fixed.Entities = []Entity{{Type: rte.User, ID: rtesim.Agency().Users[0].ID}}
	h.Grant = func(ctx context.Context) (rte.Grant, error) {
		grant, err := api.Grant(ctx)
		grant.Hub = server.URL + "/rte" // as of WssEndpoint wss://…
		return grant, err
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	defer func() { stop(); <-ended }()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for h.Status().Held == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not subscribed: %+v", h.Status())
		}
	}
	if _, err := sim.Send(ctx, rtesim.Send{EventType: "UserStatus", User: rtesim.Agency().Users[0].Name, Count: 3}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if m := <-messages; !strings.Contains(m, "UserStatus") {
			t.Errorf("heard %s", m)
		}
	}
}

// A certificate that is not trusted is said to be that, with the host, and how
// to trust it where that would help.
func TestHubThatIsNotTrusted(t *testing.T) {
	server := secured(t, "http://127.0.0.1:1")
	elsewhere := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		name, hub string
		client    *http.Client
		want      []string
		cure      bool
	}{
		{"private CA", server.URL, trusting(t, nil), []string{"the certificate is not trusted", "signed by unknown authority"}, true},
		{"another host", elsewhere, trusting(t, server), []string{"the certificate is not trusted", "localhost"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := dial(t.Context(), c.client, rte.Grant{Hub: c.hub + "/rte", Token: "s3cret"}, 1<<20)
			if !errors.Is(err, ErrUnreachable) {
				t.Fatalf("got %v", err)
			}
			for _, want := range append(c.want, c.hub, "WssEndpoint") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("does not say %q: %v", want, err)
				}
			}
			if cure := strings.Contains(err.Error(), "SSL_CERT_FILE"); cure != c.cure {
				t.Errorf("a cure is told: %v, want %v: %v", cure, c.cure, err)
			}
		})
	}
}
