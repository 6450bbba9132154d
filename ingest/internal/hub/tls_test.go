package hub

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

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

// tokens gives the simulator's tokens with another address of the hub.
func tokens(t *testing.T, sim, endpoint string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(sim)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			var answer struct{ WssEndpoint, Token string }
			if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
				return err
			}
			b, err := json.Marshal(map[string]string{"WSSEndpoint": endpoint, "Token": answer.Token})
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			return err
		},
	})
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

// The token answer gives the hub's address in whatever form.
func TestHubOverTLS(t *testing.T) {
	for _, form := range []string{"wss://HOST/rte", "https://HOST/rte/", "HOST/rte"} {
		t.Run(form, func(t *testing.T) { overTLS(t, form) })
	}
}

func overTLS(t *testing.T, form string) {
	sim := simulated(t)
	server := secured(t, sim.URL())
	rest := tokens(t, sim.URL(), strings.Replace(form, "HOST", strings.TrimPrefix(server.URL, "https://"), 1))
	api := rte.API{URL: rest.URL, Username: "demo@agency.example", SecretKey: "demo-secret", User: "me", HTTP: trusting(t, nil)}
	messages := make(chan string, 10)
	h := &Hub{Sink: heard{messages: messages}, Observe: nobody{}, HTTP: trusting(t, server), Limits: DefaultLimits(), Log: slog.New(slog.DiscardHandler)}
	h.Source.Fixed.Entities = []Entity{{Type: rte.User, ID: rtesim.Agency().Users[0].ID}}
	h.Grant = api.Grant
	runs(t, h)
	eventually(t, "subscribed", func() bool { return h.Status().Held > 0 })
	if _, err := sim.Send(t.Context(), rtesim.Send{EventType: "UserStatus", User: rtesim.Agency().Users[0].Name, Count: 3}); err != nil {
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
