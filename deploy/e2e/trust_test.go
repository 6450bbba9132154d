package e2e

import (
	"bytes"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ringstream/deploy/local/stack"
)

// front stands before a server; the token answers that it passes on name the
// hub at another place.
func front(t *testing.T, target string, hub func() string) *httptest.Server {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if !strings.Contains(r.Request.URL.Path, "/token/") {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = bytes.Replace(body, []byte("ws://"+to.Host), []byte(hub()), 1)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	t.Cleanup(server.Close)
	return server
}

// Both sides may have certificates of a private CA: SSL_CERT_FILE makes them
// trusted, and without it the check names the host and the cause.
func TestPrivateCAIsTrustedBySetting(t *testing.T) {
	r := start(t, stack.Options{Ingest: -1, Transform: -1, Deliver: -1})
	var hub, enreach, plain, reapit *httptest.Server
	where := func() string { return strings.Replace(hub.URL, "https:", "wss:", 1) }
	hub, enreach, plain, reapit = front(t, r.RTESim(), where), front(t, r.RTESim(), where), front(t, r.RTESim(), where), front(t, r.ReapitSim(), where)
	hub.StartTLS()
	enreach.StartTLS()
	reapit.StartTLS()
	plain.Start()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hub.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ingest := func(api string) []string {
		return r.settings("ingest",
			"ENREACH_API_URL="+api, "ENREACH_USERNAME=demo@agency.example", "ENREACH_SECRET_KEY=demo-secret",
			"RTE_SUBSCRIPTIONS=user:"+jane)
	}
	deliver := r.settings("deliver",
		"REAPIT_API_URL="+reapit.URL, "REAPIT_TOKEN_URL="+reapit.URL+"/oauth/token",
		"REAPIT_CLIENT_ID=demo-client", "REAPIT_CLIENT_SECRET=demo-secret", "REAPIT_CUSTOMER=SBOX")
	host := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "https://") }
	const untrusted, unknown = "the certificate is not trusted (SSL_CERT_FILE", "certificate signed by unknown authority"
	for _, c := range []struct {
		name, service string
		settings      []string
		says          []string // without the CA
	}{
		{"REST API and hub", "ingest", ingest(enreach.URL), []string{"FAIL  ENREACH_API_URL", host(enreach), untrusted, unknown}},
		{"hub", "ingest", ingest(plain.URL), []string{"FAIL  hub", host(hub), untrusted, unknown}},
		{"Reapit", "deliver", deliver, []string{"FAIL  REAPIT_TOKEN_URL", host(reapit), unknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			settings := append([]string{"HTTP_ADDR=127.0.0.1:0"}, c.settings...)
			if out, exit := check(t, c.service, append(settings, "SSL_CERT_FILE="+ca)...); exit != 0 {
				t.Errorf("with the CA: exit %d\n%s", exit, out)
			}
			out, exit := check(t, c.service, settings...)
			if exit != 1 {
				t.Errorf("without the CA: exit %d", exit)
			}
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in it", want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}
