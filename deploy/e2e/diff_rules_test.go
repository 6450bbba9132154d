//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const callSource = "../../transform/internal/call"

// rule is one of the call model, as its source has it, and as it would be told
// another way. Which kinds of the corpus it decides follows from how their
// stories were written.
type rule struct {
	name           string
	file, from, to string
	decides        []string
}

var rules = []rule{
	{
		name: "whose ring is withdrawn is told the end at once",
		file: "table.go", from: "cancelled:         {to: left},", to: "cancelled:         {to: left, do: (*Call).dismiss},",
		decides: []string{"group-parallel", "group-sequential", "group-missed", "two-ring", "transfer-to-nobody", "declined"},
	},
	{
		name: "a miss is told to nobody whose phone never rang",
		file: "closing.go", from: "if !p.open() && (!missed || !p.Owner || p.MissTold) {", to: "if !p.open() {",
		decides: []string{"busy", "dnd-missed"},
	},
	{
		name: "the same, in other words",
		file: "step.go", from: `strings.EqualFold(strings.TrimSpace(*s.raw.Reason), "remote")`, to: `strings.ToLower(strings.TrimSpace(*s.raw.Reason)) == "remote"`,
	},
	{
		name: "a call rings for half as long at most",
		file: "timer.go", from: "limit := lim.Ring\n", to: "limit := lim.Ring / 2\n",
		decides: []string{"end-of-ring-lost", "rings-for-long"},
	},
	{
		name: "an answer is told to nobody but who answered",
		file: "inbound.go", from: "s.at, s.cause, c.openUsers()...)", to: "s.at, s.cause, p.user())",
		decides: []string{"group-parallel", "group-sequential", "two-ring", "attended-transfer"},
	},
	{
		name: "two who ring are no group yet",
		file: "facts.go", from: "rung >= 2", to: "rung >= 3",
		decides: []string{"two-ring", "attended-transfer", "transfer-to-nobody"},
	},
	{
		name: "a call settles for twice as long",
		file: "timer.go", from: "c.Settling.Add(lim.Settle)", to: "c.Settling.Add(2 * lim.Settle)",
		decides: []string{"direct-missed", "busy", "dnd-missed", "group-missed", "transfer-to-nobody", "new-life", "callback", "declined"},
	},
	{
		name: "nobody is told that an outbound call was held",
		file: "outbound.go", from: "outHoldStart:    {legHeld, event.Held},", to: "",
		decides: []string{"outbound-held"},
	},
}

// changed builds replay with one rule changed, and leaves its source as it is.
func (r rule) changed(t *testing.T, dir string) (binary string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(callSource, r.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), r.from); n != 1 {
		t.Fatalf("%s has %q %d times: the rule stands elsewhere by now", file, r.from, n)
	}
	copied, overlay := filepath.Join(dir, r.file), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: copied}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{copied: strings.Replace(string(source), r.from, r.to, 1), overlay: string(text)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(dir, "replay")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../transform", "-ldflags", "-s -w", "-overlay", overlay, "-o", binary, "./cmd/replay")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with %q: %v\n%s", r.name, err, out)
	}
	return binary
}
