package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExitCodes(t *testing.T) {
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args, environ []string
		code          int
		told          string
	}{
		"help":              {[]string{"--help"}, nil, exitClean, "RINGSTREAM_DIR"},
		"an argument":       {[]string{"now"}, nil, exitSettings, `unknown argument "now"`},
		"an unknown flag":   {[]string{"-fast"}, nil, exitSettings, "not defined: -fast"},
		"no port":           {[]string{"-nats-port", "99999"}, nil, exitSettings, "-nats-port: 99999 is no port"},
		"no speed":          {[]string{"-speed", "0"}, nil, exitSettings, "-speed must be positive"},
		"once and real":     {nil, []string{"ONCE=1", "ENREACH_USERNAME=me"}, exitSettings, "unset them"},
		"once and empty":    {[]string{"-once", "-empty"}, nil, exitSettings, "-empty has nobody"},
		"no binaries there": {[]string{"-bin", empty, "-dir", empty}, nil, exitFailure, "run make build"},
	} {
		var out, problems bytes.Buffer
		if code := run(t.Context(), c.args, c.environ, &out, &problems, paint{}); code != c.code {
			t.Errorf("%s: exit %d, want %d: %s", name, code, c.code, problems.String())
		}
		if !strings.Contains(problems.String(), c.told) {
			t.Errorf("%s: told %q", name, problems.String())
		}
	}
}

// buffer is written by one goroutine and read by another.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// An empty server needs no binary, and nothing of it stays.
func TestEmpty(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := new(buffer), make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-empty", "-nats-port", "-1", "-bin", t.TempDir()}, nil, out, out, paint{})
	}()
	for deadline := time.After(time.Minute); !strings.Contains(out.String(), "import FILE"); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal(out.String())
		}
	}
	cancel()
	if code := <-ended; code != exitClean || !strings.Contains(out.String(), "nothing stays") {
		t.Errorf("exit %d: %s", code, out.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestConfig(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	read := func(environ ...string) config {
		t.Helper()
		c, err := readConfig(nil, environ, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := read("ONCE=0", "ENREACH_USERNAME=", "REAPIT_RATE=5"); c.once || c.options.RealEnreach || c.options.RealReapit {
		t.Errorf("nothing was asked for: %+v", c)
	}
	if c := read("ONCE=1"); !c.once || c.options.Dir != filepath.Join(root, ".ringstream") || c.options.Bin != filepath.Join(root, "bin") {
		t.Errorf("once: %+v", c)
	}
	if c := read("RINGSTREAM_DIR=elsewhere"); c.options.Dir != filepath.Join(root, "elsewhere") {
		t.Errorf("a relative directory: %s", c.options.Dir)
	}
	if c := read("RINGSTREAM_DIR=/elsewhere"); c.options.Dir != "/elsewhere" {
		t.Errorf("an absolute directory: %s", c.options.Dir)
	}
	if c := read("TENANTS_FILE=tenants.yaml"); c.options.RealEnreach || !c.options.RealReapit {
		t.Errorf("several tenants: %+v", c)
	}
	if c := read("ENREACH_USERNAME=me", "REAPIT_CUSTOMER=SBOX"); !c.options.RealEnreach || !c.options.RealReapit {
		t.Errorf("real sides: %+v", c)
	}
}

func arrivals(callID string, pairs ...string) []arrival {
	var all []arrival
	for _, pair := range pairs {
		negotiator, kind, _ := strings.Cut(pair, " ")
		all = append(all, arrival{callID, negotiator, kind})
	}
	return all
}

func TestDifferences(t *testing.T) {
	two := sample{expect: map[string][]string{"JAS": {incoming, answered}, "TOM": {missed}}}
	for name, c := range map[string]struct {
		got  []arrival
		want []string
	}{
		"as expected": {arrivals("a", "JAS incomingCall", "TOM missedCall", "JAS answeredCall"), nil},
		"nothing": {nil, []string{
			"JAS was to get incomingCall, answeredCall and got nothing", "TOM was to get missedCall and got nothing",
		}},
		"another order": {arrivals("a", "JAS answeredCall", "JAS incomingCall", "TOM missedCall"), []string{
			"JAS was to get incomingCall, answeredCall and got answeredCall, incomingCall",
		}},
		"twice, and to a third": {arrivals("a", "JAS incomingCall", "JAS answeredCall", "TOM missedCall", "TOM missedCall", "ALI missedCall"), []string{
			"ALI was to get nothing and got missedCall", "TOM was to get missedCall and got missedCall, missedCall",
		}},
	} {
		if got := two.differences(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTallyAwaitsArrivalAndRecord(t *testing.T) {
	one, known := sample{expect: map[string][]string{"TOM": {missed}}}, &tally{}
	calls := []string{"a"}
	known.arrive(arrival{"other", "JAS", missed})
	known.arrive(arrival{"a", "TOM", missed})
	wrong := known.await(t.Context(), one, calls, time.Millisecond)
	if want := []string{"in DELIVERIES, TOM was to get missedCall and got nothing"}; !slices.Equal(wrong, want) {
		t.Errorf("not recorded: %q", wrong)
	}
	go known.deliver(arrival{"a", "TOM", missed})
	if wrong := known.await(t.Context(), one, calls, time.Minute); wrong != nil {
		t.Errorf("recorded: %q", wrong)
	}
	known.forget()
	if arrived, delivered := known.of(calls); len(arrived)+len(delivered) != 0 {
		t.Errorf("not forgotten: %v, %v", arrived, delivered)
	}
}

func TestSummary(t *testing.T) {
	known := &tally{}
	p := &player{tally: known, played: []played{
		{sample{scenario: "good", expect: map[string][]string{"TOM": {missed}}}, []string{"a"}},
		{sample{scenario: "bad", expect: map[string][]string{"JAS": {incoming}}}, []string{"b"}},
	}}
	known.arrive(arrival{"a", "TOM", missed})
	known.deliver(arrival{"a", "TOM", missed})
	var out bytes.Buffer
	err := p.summary(&out, []time.Duration{9 * time.Millisecond, time.Millisecond, 4 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "2 differences") {
		t.Errorf("error %v", err)
	}
	golden(t, "summary", out.String())
	p.played = p.played[:1]
	if err := p.summary(&out, nil); err != nil {
		t.Errorf("all as expected: %v", err)
	}
}
