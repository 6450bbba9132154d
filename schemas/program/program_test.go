package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"ringstream/schemas/probe"
	"ringstream/schemas/program"
)

func example() program.Program[settings] {
	return program.Program[settings]{
		Name: "ringer", Summary: "rings",
		Run: func(context.Context, settings, *slog.Logger) error { return nil },
		Commands: map[string]program.Command[settings]{"letters": {
			Summary: "shows letters", Usage: "list", Needs: []string{"NATS_", "LOG_LEVEL"},
			Run: func(_ context.Context, s settings, args []string, stdout io.Writer, _ *slog.Logger) error {
				if len(args) != 1 {
					return fmt.Errorf("%w: one word", program.ErrUsage)
				}
				_, err := fmt.Fprintln(stdout, args[0], s.NATS.URL)
				return err
			},
		}},
	}
}

var good = map[string]string{"CLIENT_ID": "abc", "CLIENT_SECRET": "topsecret"}

// ran is what one call of Main left behind.
type ran struct {
	code           int
	stdout, stderr string
}

func call(p program.Program[settings], args ...string) ran {
	var stdout, stderr bytes.Buffer
	code := p.Main(args, &stdout, &stderr)
	return ran{code, stdout.String(), stderr.String()}
}

func TestExitCodes(t *testing.T) {
	for name, tc := range map[string]struct {
		args      []string
		env       map[string]string
		err       error
		code      int
		out, err2 string // texts on stdout and stderr
	}{
		"clean":                {env: good, out: `"msg":"starting"`},
		"failure is one line":  {env: good, err: errors.Join(errors.New("dial x"), errors.New("topsecret")), code: 1, err2: "ringer: dial x; (redacted)\n"},
		"bad settings":         {code: 2, err2: "CLIENT_ID: is required and not set; expected the application's id\n  CLIENT_SECRET: is required"},
		"bad settings in run":  {env: good, err: fmt.Errorf("open: %w", &program.SettingsError{Problems: []program.Problem{{Setting: "PARTITIONS", Wrong: "differs"}}}), code: 2, err2: "  PARTITIONS: differs\n"},
		"unknown command":      {args: []string{"chekc"}, code: 2, err2: `unknown command "chekc"`},
		"argument too many":    {args: []string{"check", "all"}, code: 2, err2: "check takes no arguments"},
		"help":                 {args: []string{"help"}, out: "letters"},
		"help flag":            {args: []string{"--help"}, out: "usage: ringer"},
		"version":              {args: []string{"version"}, out: "ringer "},
		"config":               {args: []string{"config"}, env: good, out: "CLIENT_SECRET     (set)"},
		"config, bad settings": {args: []string{"config"}, code: 2, out: "CLIENT_ID", err2: "CLIENT_ID: is required"},
		"own command":          {args: []string{"letters", "list"}, out: "list nats://127.0.0.1:4222\n"},
		"own command, misused": {args: []string{"letters"}, code: 2, err2: "usage: ringer letters list\n"},
		"own command, settings": {
			args: []string{"letters", "list"}, env: map[string]string{"NATS_URL": "x", "HTTP_ADDR": "x"}, code: 2,
			err2: "ringer: bad settings:\n  NATS_URL: x has no scheme (password ); expected nats://host:port\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			env(t, tc.env)
			p := example()
			p.Run = func(context.Context, settings, *slog.Logger) error { return tc.err }
			got := call(p, tc.args...)
			if got.code != tc.code || !strings.Contains(got.stdout, tc.out) || !strings.Contains(got.stderr, tc.err2) || (tc.err2 == "") != (got.stderr == "") {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	down := []probe.Result{
		{Name: "NATS_URL", OK: true, Detail: "connected to 2.15.2"},
		{Name: "CLIENT_ID", Detail: "refused topsecret\ncreate the application again"},
		{Name: "stream RTE", OK: true, Detail: "as agreed"},
	}
	for name, tc := range map[string]struct {
		env    map[string]string
		found  []probe.Result
		code   int
		golden string
	}{
		"all well":     {good, down[:1], 0, "testdata/check_ok.txt"},
		"one fails":    {good, down, 1, "testdata/check_fail.txt"},
		"bad settings": {map[string]string{"CLIENT_ID": "abc", "CLIENT_SECRET_FILE": "/nowhere/secret", "LIMIT": "x"}, down, 2, "testdata/check_settings.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			env(t, tc.env)
			p := example()
			p.Check = func(ctx context.Context, _ settings) []probe.Result {
				if _, limited := ctx.Deadline(); !limited {
					t.Error("the check may take for ever")
				}
				return tc.found
			}
			got := call(p, "check")
			if got.code != tc.code || got.stderr != "" {
				t.Errorf("exit %d, stderr %s", got.code, got.stderr)
			}
			golden(t, tc.golden, got.stdout)
		})
	}
}

func TestSignalStopsCleanly(t *testing.T) {
	env(t, good)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := example()
		p.Run = func(ctx context.Context, _ settings, log *slog.Logger) error {
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				return err
			}
			<-ctx.Done()
			log.Info("drained")
			return ctx.Err()
		}
		got := call(p)
		if got.code != program.Clean || got.stderr != "" {
			t.Errorf("%s: exit %d, stderr %s", s, got.code, got.stderr)
		}
		var said []string
		for line := range strings.Lines(got.stdout) {
			var entry struct{ Msg string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatal(err)
			}
			said = append(said, entry.Msg)
		}
		if strings.Join(said, " ") != "starting stopping drained" {
			t.Errorf("%s: said %v", s, said)
		}
	}
}

func TestInterruptedCheckIsNoSuccess(t *testing.T) {
	env(t, good)
	p := example()
	p.Check = func(ctx context.Context, _ settings) []probe.Result {
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
		<-ctx.Done()
		return nil
	}
	if got := call(p, "check"); got.code != program.Failure {
		t.Errorf("exit %d, stderr %s", got.code, got.stderr)
	}
}

// Who sets what is described and not there yet is told.
func TestSettingsOfLaterVersionsAreNamed(t *testing.T) {
	env(t, good)
	p := example()
	p.Later = []string{"TENANTS_FILE", "GROUPS", "OTHER_TOKEN"}
	if r := call(p); strings.Contains(r.stdout, "WARN") {
		t.Error(r.stdout)
	}
	env(t, map[string]string{"TENANTS_FILE": "tenants.yaml", "OTHER_TOKEN_FILE": "token"})
	r := call(p)
	if n := strings.Count(r.stdout, `"level":"WARN"`); n != 1 || r.code != 0 || !strings.Contains(r.stdout, `"settings":["TENANTS_FILE","OTHER_TOKEN"]`) {
		t.Errorf("%d lines, exit %d: %s", n, r.code, r.stdout)
	}
}
