package replay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// printed is what another binary makes of RTE, a line an event.
func (r *rig) printed(args ...string) []string {
	r.Helper()
	out, errs, code := r.replay(append([]string{"run", "-o", "json"}, args...)...)
	if code != Clean {
		r.Fatalf("exit %d, said %q", code, errs)
	}
	return slices.Collect(strings.Lines(out))
}

// against compares the fold with lines.
func (r *rig) against(lines []string, args ...string) (out, errs string, code int) {
	r.Helper()
	return r.fed(r.Context(), strings.Join(lines, ""), append([]string{"diff", "--against", "-"}, args...)...)
}

func TestDiffAgainstWhatAnotherPrinted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	lines := r.printed()
	of := func(callID string, n int) int {
		return slices.IndexFunc(lines, func(l string) bool {
			h, err := readLine([]byte(l))
			return err == nil && h.ID == callID+"/"+string(rune('0'+n))
		})
	}
	for name, tt := range map[string]struct {
		code int
		of   func([]string) []string
	}{
		"equal": {Clean, func(all []string) []string { return all }},
		"order of other calls": {Clean, func(all []string) []string {
			slices.SortStableFunc(all, func(a, b string) int { return strings.Compare(a[:50], b[:50]) }) // by callId
			return all
		}},
		"missing": {Different, func(all []string) []string { return slices.Delete(all, of(answered, 2), of(answered, 2)+1) }},
		"changed": {Different, func(all []string) []string {
			all[of(answered, 1)] = strings.Replace(all[of(answered, 1)], `"huntGroup":false`, `"huntGroup":true,"newer":1`, 1)
			return all
		}},
		"extra": {Different, func(all []string) []string {
			return append(all, strings.Replace(all[of(answered, 3)], `"sequence":3`, `"sequence":4`, 1))
		}},
		"doubled":   {Different, func(all []string) []string { return append(all, all[of(answered, 3)]) }},
		"misplaced": {Different, func(all []string) []string { slices.Reverse(all); return all }},
		"cut short": {Different, func(all []string) []string { return all[:len(all)-2] }},
	} {
		out, errs, code := r.against(tt.of(slices.Clone(lines)))
		if code != tt.code || errs != "" {
			t.Errorf("%s: exit %d, said %q", name, code, errs)
		}
		golden(t, "against-"+strings.ReplaceAll(name, " ", "-")+".txt", timeless(out))
	}
}

func TestDiffAgainstNoSuchLines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	text, _, _ := r.replay("run")
	line := r.printed()[0]
	for name, tt := range map[string]struct{ in, want string }{
		"text":        {text, "replay: standard input, line 1: is no call event as replay run -o json prints it: it is no JSON object"},
		"cut off":     {line + line[:40], "replay: standard input, line 2: is no call event as replay run -o json prints it: unexpected end"},
		"other JSON":  {"\n" + `{"type":"held"}`, "replay: standard input, line 2: is no call event as replay run -o json prints it: callId, sequence or type"},
		"another use": {strings.Replace(line, `"type":"`, `"type":"x`, 1), "replay: standard input, line 1: is no call event"},
		"nothing":     {"", "replay: nothing found: - has no call event; did replay run -o json fail?"},
	} {
		out, errs, code := r.against([]string{tt.in})
		if code != Trouble || out != "" || !strings.HasPrefix(errs, tt.want) {
			t.Errorf("%s: exit %d, %q, said %q, want %q", name, code, out, errs, tt.want)
		}
	}
	if out, errs, code := r.replay("diff", "--against", "nowhere.jsonl"); code != Trouble || out != "" || !strings.Contains(errs, "read what is compared with: open nowhere.jsonl") {
		t.Errorf("exit %d, %q, said %q", code, out, errs)
	}
}

// RTE goes on while the two binaries fold it: what both are told to leave out
// is no difference.
func TestDiffUntil(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	until := time.Now().UTC().Format(time.RFC3339Nano)
	r.raw(agencyOrg, later, "UserCallInUserAllocated", tom)
	file := filepath.Join(t.TempDir(), "other.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(r.printed("--until", until), "")), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, against := range [][]string{{"--against", file}, {"--wait", "0s"}} {
		if out, errs, code := r.replay(append([]string{"diff", "--until", until}, against...)...); code != Clean || errs != "" {
			t.Errorf("%v: exit %d, said %q:\n%s", against, code, errs, out)
		}
	}
	out, errs, code := r.replay("diff", "--against", file)
	if code != Different || errs != "" || !strings.Contains(out, "FILE agrees as far as it goes") {
		t.Errorf("exit %d, said %q:\n%s", code, errs, out)
	}
	if out, errs, code := r.replay("diff", "--until", "2020-01-01"); code != Trouble || !strings.Contains(errs, "RTE holds nothing stored before 2020") {
		t.Errorf("exit %d, said %q:\n%s", code, errs, out)
	}
}

// What another made of an RTE that reached further back is left out where it
// cannot be folded any more.
func TestDiffAgainstALongerMemory(t *testing.T) {
	r := newShortLived(t)
	r.raw(agencyOrg, answered, "UserCallInUserAllocated", jane)
	r.raw(agencyOrg, answered, "UserCallInUserConnected", jane)
	cut := uint64(r.n)
	r.raw(agencyOrg, answered, "UserCallInDisconnected", jane)
	lines := r.printed()
	r.purge(cut)
	out, errs, code := r.against(lines)
	if code != Trouble || !strings.Contains(errs, "every call may have begun before RTE's first message") || !strings.Contains(out, "left out: 1 call") {
		t.Errorf("exit %d, said %q:\n%s", code, errs, out)
	}
}

// The lines of JSON say what the text does, and add up.
func TestDiffAsJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.forge(func(told []Told) []Told {
		i := nth(told, outgoing, 2)
		told[i] = altered(t, told[i], func(e *event.Call) { e.HuntGroup, e.Caller = true, "+447911999888" })
		i = nth(told, answered, 2)
		told = slices.Delete(told, i, i+1)
		i = nth(told, answered, 1)
		return slices.Insert(told, i, told[i])
	})
	out, errs, code := r.replay("diff", "--wait", "100ms", "-o", "json")
	if code != Different || errs != "" {
		t.Fatalf("exit %d, said %q", code, errs)
	}
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	golden(t, "diff.jsonl", timeless(out))

	t.Run("some of them", func(t *testing.T) {
		out, _, code := r.replay("diff", "--wait", "100ms", "--limit", "1")
		if code != Different {
			t.Errorf("exit %d", code)
		}
		golden(t, "diff-limit.txt", timeless(out))
	})
	t.Run("equal", func(t *testing.T) {
		out, errs, code := r.against(r.printed(), "-o", "json")
		if code != Clean || errs != "" {
			t.Errorf("exit %d, said %q", code, errs)
		}
		golden(t, "diff-equal.jsonl", timeless(out))
	})
}
