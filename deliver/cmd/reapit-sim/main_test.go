package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringstream/schemas/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunServesUntilItIsStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "addr")
	t.Setenv("REAPIT_SIM_ADDR_FILE", file)
	t.Setenv("REAPIT_SIM_CUSTOMERS", "SBOX,RES")
	var set settings
	if err := program.Load(&set); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	read, write := io.Pipe()
	go func() {
		err := run(ctx, set, write)
		_ = write.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(read).ReadString('\n') // it listens
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSpace(line[strings.LastIndex(line, " "):])
	if written, err := os.ReadFile(file); err != nil || "http://"+strings.TrimSpace(string(written)) != base {
		t.Errorf("the file says %q (%v), the line %q", written, err, base)
	}
	if got := token(t, base, "wrong"); got != http.StatusUnauthorized {
		t.Errorf("wrong secret: %d", got)
	}
	if got := token(t, base, "demo-secret"); got != http.StatusOK {
		t.Errorf("default secret: %d", got)
	}
	stream, err := http.Get(base + "/control/stream") // must not hold up the end
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still running")
	}
	if bufio.NewScanner(stream.Body).Scan() {
		t.Error("the stream had something to say")
	}
	http.DefaultClient.CloseIdleConnections()
}

func token(t *testing.T, base, secret string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, base+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("demo-client", secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestRunRefusesWhatItCannotUse(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "people.yaml")
	if err := os.WriteFile(bad, []byte("SBOX:\n  - {id: TOOLONG}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]settings{
		"read negotiators":  {Addr: "127.0.0.1:0", Negotiators: bad},
		"open negotiators":  {Addr: "127.0.0.1:0", Negotiators: bad + ".none"},
		"listen":            {Addr: "127.0.0.1:-1"},
		"write the address": {Addr: "127.0.0.1:0", AddrFile: filepath.Join(bad, "below")},
	} {
		if err := run(t.Context(), set, io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for name, tt := range map[string]struct {
		args     []string
		env      string // of REAPIT_SIM_NEGOTIATORS
		code     int
		out, err []string
	}{
		"help":         {[]string{"--help"}, "", program.Clean, []string{"reapit-sim: simulates Reapit", "REAPIT_SIM_ADDR_FILE", "demo-client", "POST   /control/reset"}, nil},
		"an argument":  {[]string{"serve"}, "", program.BadUsage, nil, []string{`unknown argument "serve"`, "reapit-sim --help"}},
		"no such file": {nil, "/no/such/file", program.Failure, nil, []string{"reapit-sim: open negotiators"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("REAPIT_SIM_NEGOTIATORS", tt.env)
			var out, complaint bytes.Buffer
			if code := tool(&out).Main(tt.args, &out, &complaint); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for text, wants := range map[*bytes.Buffer][]string{&out: tt.out, &complaint: tt.err} {
				for _, want := range wants {
					if !strings.Contains(text.String(), want) {
						t.Errorf("%q is missing in %q", want, text)
					}
				}
			}
		})
	}
}
