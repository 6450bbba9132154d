package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

var (
	inBrowser     = flag.Bool("browser", false, "look at what replay serve shows in a headless Chromium too; needs node, and npm ci in browser/")
	browserStrict = flag.Bool("browser.strict", false, "a page that takes a second or more to load is a failure")
	crowdCalls    = flag.Int("browser.calls", 10_000, "how many calls the list that is timed has")
)

// show is what the browser's tests know of what is shown to them.
type show struct {
	Site         string               `json:"site"`    // replay serve
	Numbers      string               `json:"numbers"` // with --numbers
	Guarded      string               `json:"guarded"` // where others can reach it, with its token
	Stage        string               `json:"stage"`   // POST /nats/stop and /nats/start
	RTESim       string               `json:"rteSim"`
	Organization string               `json:"organization"`
	Cast         map[string]performer `json:"cast"`
	Calls        map[string]shown     `json:"calls"`
	Crowd        *crowd               `json:"crowd,omitempty"`
	Strict       bool                 `json:"strict"`
	Screenshots  string               `json:"screenshots"`
}

// shown is a call, and what replay explain says first of it.
type shown struct {
	ID     string `json:"id"`
	Caller string `json:"caller"` // in full; empty when withheld
	Says   string `json:"says"`
}

// TestServe has calls of every kind go through the whole stack, and looks at
// what replay serve shows of each: the sentence that replay explain says. With
// -browser, a headless Chromium goes on from there.
func TestServe(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, theatre(t))
	r.perform()
	s := show{
		Site: r.serve("--listen", "127.0.0.1:0"), RTESim: r.RTESim(), Organization: firstOrganization, Cast: troupe(), Calls: map[string]shown{},
	}
	for i, one := range scenes {
		call := shown{ID: sceneID(i), Says: r.explained(sceneID(i))}
		if one.caller != anonymous {
			call.Caller = one.caller
		}
		s.Calls[one.name] = call
		if got := r.headline(s.Site + "call/" + call.ID); got != call.Says {
			t.Errorf("the page of the call %q says\n%s\nand replay explain\n%s", one.name, got, call.Says)
		}
	}
	if list := r.page(s.Site); strings.Count(list, "<tr id=\"c-") != len(scenes) {
		t.Errorf("the list has not %d calls:\n%s", len(scenes), list)
	}
	if *inBrowser {
		s.Numbers = r.serve("--listen", "127.0.0.1:0", "--numbers")
		s.Guarded = r.serve("--listen", net.JoinHostPort(reachable(t), "0"))
		s.Crowd, s.Stage, s.Strict = newCrowd(t, *crowdCalls), r.stage(), *browserStrict
		s.browse(t)
	}
}

// serve runs replay serve until the test is over, and gives the address to open.
func (r *rig) serve(args ...string) string {
	t := r.t
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(binaries, "replay"), append([]string{"serve"}, args...)...)
	cmd.Env = r.settings("replay", sceneSettings()...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("replay serve: %v", err)
		}
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("replay serve printed no address: %v", err)
	}
	return strings.TrimSpace(address)
}

// reachable is an address of this machine that others may reach.
func reachable(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "0.0.0.0" // no network: nobody may, but it is not loopback
}

// explained is the first line of what replay says of a call.
func (r *rig) explained(id string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "replay"), "explain", "call", id)
	cmd.Env = r.settings("replay", sceneSettings()...)
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("replay explain call %s: %v", id, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

var (
	headline = regexp.MustCompile(`(?s)<h1 class="answer">(.*?)</h1>`)
	markup   = regexp.MustCompile(`<[^>]*>`)
)

// headline is the first sentence of a page of a call.
func (r *rig) headline(at string) string {
	r.t.Helper()
	found := headline.FindStringSubmatch(r.page(at))
	if found == nil {
		return ""
	}
	return html.UnescapeString(markup.ReplaceAllString(found[1], ""))
}

// page is what is shown once the streams have been read.
func (r *rig) page(at string) (body string) {
	r.t.Helper()
	r.eventually(time.Minute, say("%s to be live", at), func() bool {
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, at, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			r.t.Fatalf("%s: %s, %v", at, res.Status, err)
		}
		body = string(b)
		return strings.Contains(body, `data-state="live"`)
	})
	return body
}

// stage lets the browser's tests stop NATS and start it again.
func (r *rig) stage() string {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /nats/stop", func(http.ResponseWriter, *http.Request) { r.StopNATS() })
	mux.HandleFunc("POST /nats/start", func(w http.ResponseWriter, _ *http.Request) {
		if err := r.StartNATS(); err != nil && !errors.Is(err, stack.ErrRunning) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	server := httptest.NewServer(mux)
	r.t.Cleanup(server.Close)
	return server.URL
}

const browserFolder = "browser"

// browse runs the browser's tests.
func (s show) browse(t *testing.T) {
	t.Helper()
	screenshots, err := filepath.Abs(filepath.Join(browserFolder, "screenshots"))
	if err != nil {
		t.Fatal(err)
	}
	s.Screenshots = screenshots
	scene, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(browserFolder, "*.test.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests (%v)", err)
	}
	args := []string{"--test", "--test-concurrency=1", "--test-reporter=spec"}
	for _, f := range files {
		args = append(args, filepath.Base(f))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = browserFolder, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "BROWSER_SHOW="+string(scene))
	if err := cmd.Run(); err != nil {
		t.Errorf("node: %v", err)
	}
}
