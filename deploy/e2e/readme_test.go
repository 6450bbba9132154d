package e2e

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// The subscriber of the README works as pasted.
func TestSubscriberOfTheReadme(t *testing.T) {
	t.Parallel() // most of it is waiting
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)## Add a subscriber.*?```go\n(.*?)```").FindSubmatch(readme)
	if code == nil {
		t.Fatal("the README has no subscriber")
	}
	r := start(t, stack.Options{Env: map[string][]string{"transform": {"SETTLE_TIMEOUT=100ms"}}})
	me := r.NATS("subscriber")
	address, err := url.Parse(me.URL)
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword(me.User, me.Password)
	lines := run(t, strings.ReplaceAll(string(code[1]), "nats://127.0.0.1:4222", address.String()), "SSL_CERT_FILE="+me.CA)

	done := r.play(play{Text: "-- call --\ncaller=+447700900100 called=+442071838750\n+0s UserCallInComing user=jane\n+0s UserCallInUserAllocated user=jane\n" +
		"+0.5s UserCallInDisconnected user=jane reason=remote\n", Wait: true})
	select {
	case line := <-lines:
		if !strings.Contains(line, done.CallIDs[0]) || !strings.Contains(line, `"type":"missed"`) {
			t.Errorf("it printed %q", line)
		}
	case <-time.After(30 * time.Second):
		t.Error("it printed nothing")
	}
}

// run builds a program inside this module, whose dependencies it shares, and
// returns the lines that it prints.
func run(t *testing.T, program string, env ...string) <-chan string {
	t.Helper()
	dir, err := os.MkdirTemp(".", "testdata-subscriber-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "subscriber")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+dir).CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), env...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := make(chan string, 10)
	go func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}
