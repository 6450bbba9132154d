package replay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// serve runs the page until end is called, which returns the exit code. site is
// the address that it prints.
func (r *rig) serve(args ...string) (site string, end func() (string, int)) {
	r.Helper()
	return r.serveAt(time.Now(), args...)
}

func (r *rig) serveAt(now time.Time, args ...string) (site string, end func() (string, int)) {
	r.Helper()
	ctx, cancel := context.WithCancelCause(r.Context())
	printed, out := io.Pipe()
	errs := new(screen)
	code := make(chan int, 1)
	go func() {
		code <- r.main(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), IO{Out: out, Err: errs, Now: now})
		_ = out.Close()
	}()
	line, err := bufio.NewReader(printed).ReadString('\n')
	if err != nil {
		r.Fatalf("it printed no address: %v, %q", err, errs)
	}
	return strings.TrimSpace(line), func() (string, int) {
		cancel(errors.New("Ctrl-C"))
		return errs.String(), <-code
	}
}

// get asks for a page, as the browser of somebody who has been there before.
func (r *rig) get(client *http.Client, at string) (status int, body string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, at, nil)
	if err != nil {
		r.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// browser keeps no connection that a test would have to wait for.
func browser() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
}

func (r *rig) eventually(client *http.Client, at string, words ...string) {
	r.Helper()
	bustest.Eventually(r, strings.Join(words, ", "), func() bool {
		_, body := r.get(client, at)
		for _, w := range words {
			if !strings.Contains(body, w) {
				return false
			}
		}
		return true
	})
}

func TestServe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	d := r.deliveries()
	d.end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	r.raw(agencyOrg, later, rings, tom)
	r.transformed()
	d.end(later, ending{user: tom, outcome: event.Rejected, cause: "rejected", status: 422, tries: 1, letter: []event.FieldError{{Field: "callerId", Message: "+44 7911 123456 is no number"}}})
	site, end := r.serve()
	c := browser()

	r.eventually(c, site, `data-state="live"`, "/call/"+answered, "/call/"+missed, "/call/"+outgoing, "rejected")
	for query, want := range map[string][2]string{
		"?q=456":           {answered, "No call"},
		"?q=457":           {"No call of the last hour fits", answered},
		"?q=Tom":           {later, answered},
		"?q=jas":           {answered, missed},
		"?q=" + outgoing:   {outgoing, missed},
		"?show=not-told":   {later, outgoing},
		"?show=ringing":    {later, answered},
		"?q=nobody":        {"No call of the last hour fits", answered},
		"?q=%3Cscript%3E1": {"&lt;script&gt;1", "<script>1"},
	} {
		status, body := r.get(c, site+query)
		if _, rows, _ := strings.Cut(body, `id="list"`); status != http.StatusOK || !strings.Contains(rows, want[0]) || strings.Contains(rows, want[1]) {
			t.Errorf("%s: %d, %s", query, status, rows)
		}
	}

	status, body := r.get(c, site+"call/"+strings.ToUpper(answered))
	for _, part := range []string{"Jane&#39;s screen (JAS) was told", "<svg", "UserCallInUserAllocated", "DELIVERIES", "…456", "&#34;callerNumber&#34;: &#34;…456&#34;"} {
		if status != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("the page of a call, %d, has no %q", status, part)
		}
	}
	if strings.Contains(body, "123456") {
		t.Error("a number stands there in full")
	}
	if status, body = r.get(c, site+"call/"+later); status != http.StatusOK || !strings.Contains(body, "DEADLETTERS") || !strings.Contains(body, "…456 is no number") || strings.Contains(body, "7911 123456") {
		t.Errorf("the page of a call that was refused: %d", status)
	}
	if status, body = r.get(c, site+"call/0f6e4c1a-93d2-4b7e-8a61-000000000000"); status != http.StatusNotFound || !strings.Contains(body, "RTE reaches back to") {
		t.Errorf("an unknown call: %d, %s", status, body)
	}
	if status, body = r.get(c, site+"calls"); status != http.StatusNotFound || !strings.Contains(body, "No such page") {
		t.Errorf("an unknown page: %d, %s", status, body)
	}
	if status, body = r.get(c, site+"healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("health: %d, %s", status, body)
	}
	if errs, code := end(); code != Clean || errs != "the calls of the last 1h0m0s; Ctrl-C ends it\n" {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

func TestServeNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	r.transformed()
	site, end := r.serve("--numbers")
	r.eventually(browser(), site, "&#43;447911123456")
	if _, body := r.get(browser(), site+"call/"+answered); !strings.Contains(body, "&#34;callerNumber&#34;: &#34;&#43;447911123456&#34;") {
		t.Errorf("it masks: %s", body)
	}
	end()
}

// A reader who stays is told of what comes.
func TestServeLive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	site, end := r.serve()
	list, call := r.events(site+"events"), r.events(site+"events?call="+answered)
	list.until("No call was heard in the last hour")
	r.raw(agencyOrg, answered, rings, jane)
	list.until("/call/"+answered, `<span class="state ringing">ringing</span>`)
	call.until("data: 1")
	r.raw(agencyOrg, answered, "UserCallInUserConnected", jane)
	list.until(`<span class="state talking">talking</span>`)
	call.until("data: 2")
	if errs, code := end(); code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

// feed is what the server tells a browser that stays.
type feed struct {
	*rig
	lines *bufio.Scanner
}

func (r *rig) events(at string) feed {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, at, nil)
	if err != nil {
		r.Fatal(err)
	}
	res, err := browser().Do(req)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return feed{r, lines}
}

// until reads on until an event has all these words.
func (f feed) until(words ...string) {
	f.Helper()
	var one strings.Builder
	for f.lines.Scan() {
		if f.lines.Text() != "" {
			one.WriteString(f.lines.Text() + "\n")
			continue
		}
		all := true
		for _, w := range words {
			all = all && strings.Contains(one.String(), w)
		}
		if all {
			return
		}
		one.Reset()
	}
	f.Fatalf("it ended before %v: %v", words, f.lines.Err())
}

// A server that goes away is told of, and waited for.
func TestServeAcrossAnOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	site, end := r.serve()
	c := browser()
	r.eventually(c, site, `data-state="live"`, "/call/"+answered)
	r.server.Stop()
	r.eventually(c, site, `data-state="lost"`, "No connection to NATS", "/call/"+answered)
	r.server.Start()
	r.eventually(c, site, `data-state="live"`)
	r.js = r.server.JetStream("again")
	r.raw(agencyOrg, later, rings, jane)
	r.eventually(c, site, `data-state="live"`, "/call/"+later)
	if errs, code := end(); code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

// Streams that were made anew are another world: of the one before nothing is shown.
func TestServeStreamsMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	site, end := r.serve()
	c := browser()
	r.eventually(c, site, `data-state="live"`, "/call/"+answered)
	for _, s := range topology.Streams(topology.Layout{Partitions: partitions, Replicas: 1}) {
		if err := r.js.DeleteStream(t.Context(), s.Name); err != nil {
			t.Fatal(err)
		}
	}
	r.eventually(c, site, `data-state="trouble"`, "RTE cannot be read: stream does not exist")
	r.js = r.server.Provisioned(partitions)
	for range 3 { // it has grown past the place up to which the other was read
		r.raw(agencyOrg, later, rings, jane)
	}
	r.eventually(c, site, `data-state="live"`, "/call/"+later)
	if _, body := r.get(c, site); strings.Contains(body, answered) {
		t.Error("it shows a call of the streams before")
	}
	if errs, code := end(); code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

// A server that comes back with nothing has its list begin anew too.
func TestServeAServerMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := bustest.RunIn(t, dir)
	r := &rig{T: t, server: s, js: s.Provisioned(partitions)}
	r.raw(agencyOrg, answered, rings, jane)
	site, end := r.serve()
	c := browser()
	r.eventually(c, site, `data-state="live"`, "/call/"+answered)
	s.Stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.Start()
	r.js = s.Provisioned(partitions)
	r.eventually(c, site, `data-state="live"`, "No call was heard in the last hour")
	if errs, code := end(); code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

// A call that is older than the window is shown as it is, and one that began
// before it is not taken for another.
func TestServeOlderCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	r.transformed()
	r.deliveries().end(missed, ending{user: tom, outcome: event.Delivered, status: 202, tries: 1}) // of which nothing else is known
	site, end := r.serve("--since", "1m")
	r.eventually(browser(), site, "/call/"+answered, "/call/"+missed, "beyond rte")
	end()
}

// Of what was imported the present is its end: the list is that of its last hour.
func TestServeWhatWasImported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	r.transformed()
	r.deliveries().end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	other := r.taken("--real")
	site, end := other.serveAt(time.Now().Add(72*time.Hour), "--server", other.server.URL())
	r.eventually(browser(), site, `data-state="live"`, "/call/"+answered, "What these streams hold was imported", `<span class="state ringing">`, `<span class="cause">told</span>`)
	if errs, code := end(); code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

func TestServeToken(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REPLAY_TOKEN_FILE", file)
	site, end := r.serve()
	at, err := url.Parse(site)
	if err != nil || at.Query().Get("token") != "open sesame" {
		t.Fatalf("it prints %s", site)
	}
	at.RawQuery = ""
	if status, body := r.get(browser(), at.String()); status != http.StatusUnauthorized || strings.Contains(body, "sesame") {
		t.Errorf("without a token: %d, %s", status, body)
	}
	if _, errs := end(); errs != Clean {
		t.Errorf("exit %d", errs)
	}
}

func TestServeUsage(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"replay: --since: 1s is not between a minute and 30 days; see --help": {"--since", "1s"},
		`replay: unknown command "call" for "replay serve"`:                   {"call"},
		"replay: listen on nowhere: listen tcp: address nowhere":              {"--listen", "nowhere"},
	} {
		r := newRig(t)
		out, errs, code := r.replay(append([]string{"serve"}, args...)...)
		if code != Trouble || out != "" || !strings.HasPrefix(errs, want) {
			t.Errorf("exit %d, %q, said %q", code, out, errs)
		}
	}
}

// Who looks at an empty server while it is filled is shown what was imported, as
// who comes later is.
func TestServeWhatIsImportedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	r.transformed()
	r.deliveries().end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	file := filepath.Join(t.TempDir(), "a.bundle")
	if _, errs, code := r.replay("export", "--real", "--call", answered, "-o", file); code != Clean {
		t.Fatal(errs)
	}
	empty := bustest.Run(t)
	empty.Provisioned(partitions)
	site, end := r.serveAt(time.Now().Add(72*time.Hour), "--server", empty.URL())
	c := browser()
	r.eventually(c, site, `data-state="live"`, "No call was heard in the last hour")
	if _, errs, code := r.replay("import", file, "--into", empty.URL()); code != Clean {
		t.Fatal(errs)
	}
	r.eventually(c, site, `data-state="live"`, "/call/"+answered, "What these streams hold was imported", `<span class="state ringing">`, `<span class="cause">told</span>`)
	if errs, code := end(); code != Clean {
		t.Errorf("exit %d, said %q", code, errs)
	}
}
