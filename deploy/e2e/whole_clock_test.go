//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A clock is set wrong for one process only: libfaketime and the like do nothing to
// a program that asks the kernel without libc, a time namespace moves no wall
// clock, and no service has a setting for it. So the second build is one in which
// time.Now is ahead or behind by as many seconds as the environment says.

const (
	clockAhead = "E2E_CLOCK_AHEAD_SECONDS"
	now        = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	imports    = "import (\n"
)

var ahead = fmt.Sprintf(`
var ahead = func() (seconds int64) {
	text, _ := syscall.Getenv(%q)
	sign := int64(1)
	for _, c := range text {
		if c == '-' {
			sign = -1
			continue
		}
		seconds = 10*seconds + int64(c-'0')
	}
	return sign * seconds
}()
`, clockAhead)

// wrongClock are the arguments for go build that make it so.
func wrongClock(t testing.TB) []string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(string(bytes.TrimSpace(root)), "src", "time", "time.go")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	if strings.Count(text, now) != 1 || strings.Count(text, imports) != 1 {
		t.Fatalf("%s is not as it is known", file)
	}
	text = strings.Replace(text, imports, imports+"\t\"syscall\"\n", 1)
	text = strings.Replace(text, now, now+"\tsec += ahead\n", 1) + ahead
	dir := t.TempDir()
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: filepath.Join(dir, "time.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"time.go": []byte(text), "overlay.json": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"-overlay", filepath.Join(dir, "overlay.json")}
}
