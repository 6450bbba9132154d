package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// TestExplainNamesTheCause: whatever keeps a call from a screen, the first line
// of replay explain says.
func TestExplainNamesTheCause(t *testing.T) {
	t.Parallel() // most of it is waiting
	c := causes{start(t, fatefulStack(t))}
	c.usual()
	c.unheard()
	c.throttled()
	for i, f := range fates {
		t.Run(f.name, func(t *testing.T) {
			said, code := c.explain(t, i, f)
			first, _, _ := strings.Cut(said, "\n")
			for _, want := range f.says {
				if !strings.Contains(first, want) {
					t.Errorf("the first line does not say %q", want)
				}
			}
			if !strings.HasPrefix(first, f.says[0]) || code != f.code {
				t.Errorf("exit %d, want %d", code, f.code)
			}
			if t.Failed() {
				t.Log(said)
			}
		})
	}
}

// fatefulStack has two customers, and listens to everybody but one.
func fatefulStack(t *testing.T) stack.Options {
	t.Helper()
	var listened []string
	for i, f := range fates {
		if f.of != unheardOf {
			listened = append(listened, "user:"+userID(i))
		}
	}
	tenants := filepath.Join(t.TempDir(), "tenants.yaml")
	text := fmt.Sprintf("%s: {customer: SBOX}\n%s: {customer: RES}\n", firstOrganization, secondOrganization)
	if err := os.WriteFile(tenants, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return stack.Options{Env: map[string][]string{
		"ingest":    {"RTE_SUBSCRIPTIONS=" + strings.Join(append(listened, "user:"+colleagueID), ",")},
		"transform": {"SETTLE_TIMEOUT=1s"},
		"deliver":   {"REAPIT_CUSTOMER=", "TENANTS_FILE=" + tenants, "REAPIT_SHARED_TOKEN=true", "DEADLINE_INCOMING=" + ringDeadline.String()},
	}}
}

func userID(fate int) string { return fmt.Sprintf("aa9730c4-ce86-e611-80c9-%012d", fate+1) }
func callID(fate int) string { return fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", fate+1) }

// causes brings the fates about.
type causes struct{ *rig }

// each does something for all calls of a moment.
func (c causes) each(when moment, do func(i int, f fate)) {
	for i, f := range fates {
		if f.when == when {
			do(i, f)
		}
	}
}

// lines plays a part of a call: once somebody listens and without waiting for its
// end, or to its end, whoever listens.
func (c causes) lines(i int, f fate, lines string, listener bool) {
	c.t.Helper()
	if lines == "" {
		return
	}
	user := func(name, id string) string {
		return fmt.Sprintf("%s id=%s userName=%s@agency.example numbers=+442071838750\n", name, id, name)
	}
	p := play{Wait: !listener, All: true, Text: "-- organization --\n" + cmp.Or(f.client, firstOrganization) +
		"\n-- users --\n" + user(f.of, userID(i)) + user(colleague, colleagueID) +
		"-- call --\ncallId=" + callID(i) + " caller=+447123456780 called=+442071838750\n" + strings.ReplaceAll(lines, "USER", f.of)}
	if listener {
		p.Subscribers = 1
	}
	var done playing
	c.post(c.RTESim()+"/control/play", p, &done)
	if done.Error != "" {
		c.t.Fatal(done.Error)
	}
}

// heard waits until RTE holds so many events of each call of a moment.
func (c causes) heard(when moment, of func(fate) string) {
	c.t.Helper()
	c.each(when, func(i int, f fate) {
		want := uint64(strings.Count(of(f), "+0"))
		c.eventually(time.Minute, say("RTE to hold the call of %s", f.of), func() bool { return c.stored("RTE", "rte.*.*.*."+callID(i)) >= want })
	})
}

// ended waits until each call of a moment has its outcomes.
func (c causes) ended(when moment) {
	c.t.Helper()
	c.each(when, func(i int, f fate) {
		c.eventually(time.Minute, say("%d outcomes of the call of %s", f.ends, f.of), func() bool {
			return c.stored("DELIVERIES", "deliveries.*.*.*."+callID(i)) >= uint64(f.ends)
		})
	})
}

// plant tells reapit-sim what happens to the notifications of a fate.
func (c causes) plant(f fate) {
	c.t.Helper()
	if f.fault != "" {
		rule := fmt.Sprintf(`{"match":{"path":"/notifications","negotiatorId":%q,"subType":"incomingCall"},"action":%s}`, f.negotiator, f.fault)
		c.post(c.ReapitSim()+"/control/faults", json.RawMessage(rule), nil)
	}
	if f.knobs != "" {
		c.post(c.ReapitSim()+"/control/knobs", json.RawMessage(f.knobs), nil)
	}
}

// usual has all calls at once that need nobody to be away.
func (c causes) usual() {
	c.t.Helper()
	c.each(usual, func(i int, f fate) {
		c.plant(f)
		c.lines(i, f, f.during, f.of != unheardOf)
	})
	c.ended(usual)
}

// unheard stops transform until a ring is too old, and cuts the hub off meanwhile.
func (c causes) unheard() {
	c.t.Helper()
	if err := c.Terminate("transform-1"); err != nil {
		c.t.Fatal(err)
	}
	c.each(stalled, func(i int, f fate) { c.lines(i, f, f.during, true) })
	c.heard(stalled, func(f fate) string { return f.during })
	tooOld := time.Now().Add(ringDeadline + time.Second)

	c.each(cut, func(i int, f fate) { c.lines(i, f, f.before, true) })
	c.heard(cut, func(f fate) string { return f.before })
	c.hub("fail", map[string]any{"what": "connect-5xx", "count": 1000})
	c.hub("drop", map[string]any{"mode": "reset"})
	c.each(cut, func(i int, f fate) { c.lines(i, f, f.during, false) })
	c.hub("fail", map[string]any{"what": "connect-5xx", "count": 0})
	c.each(cut, func(i int, f fate) { c.lines(i, f, f.after, true) })

	c.eventually(time.Minute, say("the ring to be too old"), func() bool { return time.Now().After(tooOld) })
	if err := c.Launch("transform-1"); err != nil {
		c.t.Fatal(err)
	}
	c.ended(stalled)
	c.ended(cut)
}

func (c causes) hub(what string, body any) {
	c.t.Helper()
	c.post(c.RTESim()+"/control/"+what, body, nil)
}

// throttled comes last: Reapit's limits are everybody's.
func (c causes) throttled() {
	c.t.Helper()
	c.each(last, func(i int, f fate) {
		c.plant(f)
		c.lines(i, f, f.during, true)
	})
	c.ended(last)
}

// explain asks replay about a fate.
func (c causes) explain(t *testing.T, i int, f fate) (said string, code int) {
	t.Helper()
	args := []string{"explain", "call", callID(i)}
	switch f.ask {
	case byAddress:
		args = []string{"explain", "user", f.of + "@agency.example", "--at", "10s"}
	case byID:
		args = []string{"explain", "user", userID(i), "--at", "10s"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "replay"), args...)
	cmd.Env = c.settings("replay", "SETTLE_TIMEOUT=1s", "DEADLINE_INCOMING="+ringDeadline.String())
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
