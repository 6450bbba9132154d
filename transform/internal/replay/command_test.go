package replay

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/program"
	"ringstream/transform/internal/call"
)

func TestUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		env  [2]string
		want string
	}{
		"unknown command":       {args: []string{"erase"}, want: `replay: unknown command "erase" for "replay"; see --help`},
		"unknown flag":          {args: []string{"run", "--from", "x"}, want: "replay: unknown flag: --from; see --help"},
		"explain something":     {args: []string{"explain", "JAS"}, want: "replay: to explain a call: replay explain call ID; to explain a user: replay explain user JAS --at 5m; see --help"},
		"no span of time":       {args: []string{"explain", "user", "JAS", "--at", "5m", "--within", "10"}, want: `replay: invalid argument "10" for "--within" flag: time: missing unit in duration "10"; see --help`},
		"an argument":           {args: []string{"diff", "x"}, want: `replay: unknown command "x" for "replay diff"`},
		"since":                 {args: []string{"run", "--since", "noon"}, want: `replay: --since: "noon" is no time; write 2026-11-02T09:00:00Z, 2026-11-02 09:00 (UTC), 2026-11-02, 09:00 (UTC, the last that was), or how long ago: 90m, 2d; see --help`},
		"until":                 {args: []string{"run", "--until", "noon"}, want: `replay: --until: "noon" is no time`},
		"an empty span":         {args: []string{"run", "--since", "1h", "--until", "2h"}, want: "replay: --since is not before --until: nothing lies between them; see --help"},
		"format":                {args: []string{"run", "-o", "xml"}, want: `replay: --output: "xml" is unknown; write text, json or story; see --help`},
		"a story of all calls":  {args: []string{"run", "-o", "story"}, want: "replay: a story is about one call; name it with --call; see --help"},
		"part of a story":       {args: []string{"run", "-o", "story", "--call", "c", "--since", "1h"}, want: "replay: a story is about a whole call; leave out --since, --until and --org; see --help"},
		"a wait of less than 0": {args: []string{"diff", "--wait", "-1s"}, want: "replay: --wait: -1s is less than nothing; see --help"},
		"a limit under 0":       {args: []string{"diff", "--limit", "-1"}, want: "replay: --limit: -1 is less than nothing; see --help"},
		"format of diff":        {args: []string{"diff", "-o", "story"}, want: `replay: --output: "story" is unknown; write text or json; see --help`},
		"end of diff":           {args: []string{"diff", "--until", "noon"}, want: `replay: --until: "noon" is no time`},
		"against nothing":       {args: []string{"diff", "--against", ""}, want: "replay: --against was given but is empty"},
		"diff until nothing":    {args: []string{"diff", "--until", ""}, want: "replay: --until was given but is empty, as a variable of the shell may be; see --help"},
		"coverage until blank":  {args: []string{"coverage", "--until", " "}, want: "replay: --until was given but is empty"},
		"coverage of nothing":   {args: []string{"coverage", "--since="}, want: "replay: --since was given but is empty"},
		"coverage of nobody":    {args: []string{"coverage", "--entity", ""}, want: "replay: --entity was given but is empty"},
		"explain at nothing":    {args: []string{"explain", "user", "JAS", "--at", ""}, want: "replay: --at was given but is empty"},
		"format of nothing":     {args: []string{"explain", "call", "c", "-o", ""}, want: "replay: --output was given but is empty"},
		"export to nothing":     {args: []string{"export", "--since", "1h", "-o", ""}, want: "replay: --output was given but is empty"},
		"import into nothing":   {args: []string{"import", "a.bundle", "--into", ""}, want: "replay: --into was given but is empty"},
		"serve on nothing":      {args: []string{"serve", "--listen", ""}, want: "replay: --listen was given but is empty"},
		"a server of nothing":   {args: []string{"run", "--server", ""}, want: "replay: --server was given but is empty"},
		"nobody's credentials":  {args: []string{"--creds", "", "diff"}, want: "replay: --creds was given but is empty"},
		"a bundle of nothing":   {args: []string{"run", ""}, want: "replay: name a file that export has written: the name is empty"},
		"no bundle to import":   {args: []string{"import", " "}, want: "replay: name a file that export has written: the name is empty"},
		"a wait for a file":     {args: []string{"diff", "--against", "-", "--wait", "1s"}, want: "replay: --wait is for CALLS; a file is read as it is; see --help"},
		"format of coverage":    {args: []string{"coverage", "-o", "xml"}, want: `replay: --output: "xml" is unknown; write text or json; see --help`},
		"span of coverage":      {args: []string{"coverage", "--since", "1h", "--until", "2h"}, want: "replay: --since is not before --until"},
		"a call of nothing":     {args: []string{"run", "--call", ""}, want: "replay: --call was given but is empty, as a variable of the shell may be; see --help"},
		"a blank organization":  {args: []string{"run", "--org", " "}, want: "replay: --org was given but is empty"},
		"run since nothing":     {args: []string{"run", "--since", ""}, want: "replay: --since was given but is empty"},
		"run until nothing":     {args: []string{"run", "--until="}, want: "replay: --until was given but is empty"},
		"tail of nobody":        {args: []string{"tail", "--who", ""}, want: "replay: --who was given but is empty"},
		"tail of no call":       {args: []string{"tail", "--call", ""}, want: "replay: --call was given but is empty"},
		"tail of nowhere":       {args: []string{"tail", "--org", ""}, want: "replay: --org was given but is empty"},
		"tail of no type":       {args: []string{"tail", "--type", ""}, want: "replay: --type was given but is empty"},
		"export no call":        {args: []string{"export", "--since", "1h", "--call", "", "-o", "/dev/null"}, want: "replay: --call was given but is empty"},
		"export since nothing":  {args: []string{"export", "--since", "", "--until", "1h", "-o", "/dev/null"}, want: "replay: --since was given but is empty"},
		"export until nothing":  {args: []string{"export", "--since", "1h", "--until", "", "-o", "/dev/null"}, want: "replay: --until was given but is empty"},
		"bad settings":          {args: []string{"diff"}, env: [2]string{"RING_TIMEOUT", "soon"}, want: "replay: bad settings:\n  RING_TIMEOUT: \"soon\" cannot be read"},
		"a limit of nothing":    {args: []string{"run"}, env: [2]string{"CLOSED_MEMORY", "0s"}, want: "replay: bad settings:\n  CLOSED_MEMORY: is 0s; expected more than zero"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			out, errs, code := replay(t.Context(), tt.args...)
			if code != Trouble || out != "" || !strings.HasPrefix(errs, tt.want) {
				t.Errorf("exit %d, %q, said %q, want %q", code, out, errs, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for name, args := range map[string][]string{
		"help.txt": nil, "help-run.txt": {"run", "--help"}, "help-diff.txt": {"help", "diff"}, "help-coverage.txt": {"coverage", "--help"}, "help-tail.txt": {"tail", "--help"}, "help-serve.txt": {"serve", "--help"}, "help-watch.txt": {"watch", "--help"},
		"help-export.txt": {"export", "--help"}, "help-import.txt": {"import", "--help"}, "help-explain.txt": {"explain", "--help"}, "help-explain-call.txt": {"explain", "call", "--help"},
		"help-explain-user.txt": {"help", "explain", "user"},
	} {
		out, errs, code := replay(t.Context(), args...)
		if code != Clean || errs != "" {
			t.Errorf("%s: exit %d, said %q", name, code, errs)
		}
		golden(t, name, out)
	}
	if out, _, code := replay(t.Context(), "--version"); code != Clean || !strings.HasPrefix(out, "replay ") {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, errs, code := replay(t.Context(), "run", "--server", "nats://me:secret@"+nowhere)
	if code != Trouble || !strings.Contains(errs, "is a server running there? (NATS_URL); another one is named by --server, and make run starts one") || strings.Contains(errs, "secret") {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(300*time.Millisecond, func() { cancel(errors.New("enough")) })
	_, errs, code := r.fed(ctx, "", "diff", "--wait", "1m") // for a transform that does not run
	if code != Trouble || !strings.Contains(errs, "interrupted: enough") {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

// What folds here must fold by the limits of the service, unless told otherwise.
func TestLimitsHaveTheModelsDefaults(t *testing.T) {
	for _, limit := range []string{"RING_TIMEOUT", "TALK_TIMEOUT", "SETTLE_TIMEOUT", "CLOSED_MEMORY"} {
		t.Setenv(limit, "")
	}
	var s Settings
	if err := program.Load(&s); err != nil || s.Limits != call.DefaultLimits() {
		t.Errorf("%+v, %v", s.Limits, err)
	}
}

func TestFlagsStandAboveTheEnvironment(t *testing.T) {
	t.Setenv("NATS_URL", "nats://env:4222")
	t.Setenv("NATS_USER", "env")
	c := connection{server: "nats://flag:4222", creds: "flag.creds", ca: "ca.pem", cert: "c.pem", key: "k.pem"}
	s, err := c.settings()
	if err != nil || s.URL != "nats://flag:4222" || s.User != "env" || s.Creds != "flag.creds" || s.CA != "ca.pem" || s.Cert != "c.pem" || s.Key != "k.pem" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	var stdout, stderr bytes.Buffer
	if code := r.main(t.Context(), []string{"run"}, IO{Out: &stdout, Err: &stderr, Colour: true, Progress: true, Now: time.Now()}); code != Clean {
		t.Fatalf("exit %d", code)
	}
	if !strings.Contains(stdout.String(), "\x1b[31mmissed ") || !strings.Contains(stderr.String(), "\rfolding RTE [####################] 100 %") || !strings.Contains(stderr.String(), "\r\x1b[K") {
		t.Errorf("%q\n%q", stdout.String(), stderr.String())
	}
	plain, _, _ := r.replay("run")
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colours without a terminal: %q", plain)
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                          {},
		"90m":                       now.Add(-90 * time.Minute),
		"-90m":                      now.Add(-90 * time.Minute),
		"2d":                        now.AddDate(0, 0, -2),
		"now":                       now,
		"11:59":                     now.Add(-time.Minute),
		"12:00:01":                  now.Add(time.Second).AddDate(0, 0, -1),
		"2026-11-02":                time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
		"2026-11-02 09:30":          time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC),
		"2026-11-02T09:30:15":       time.Date(2026, 11, 2, 9, 30, 15, 0, time.UTC),
		"2026-11-02T09:30:15+01:00": time.Date(2026, 11, 2, 8, 30, 15, 0, time.UTC),
	} {
		if got, err := ParseMoment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestSelection(t *testing.T) {
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	told := Told{Stored: at}
	told.Call.CallID, told.Call.OrganizationID = "c", "o"
	for name, tt := range map[string]struct {
		s    Selection
		want bool
	}{
		"all":          {Selection{}, true},
		"from then on": {Selection{Since: at}, true},
		"later":        {Selection{Since: at.Add(1)}, false},
		"until then":   {Selection{Until: at}, false},
		"until later":  {Selection{Until: at.Add(1)}, true},
		"the call":     {Selection{Call: "c", Org: "o"}, true},
		"another call": {Selection{Call: "d"}, false},
		"another org":  {Selection{Call: "c", Org: "p"}, false},
	} {
		if tt.s.Has(told) != tt.want {
			t.Errorf("%s: not %v", name, tt.want)
		}
	}
}
