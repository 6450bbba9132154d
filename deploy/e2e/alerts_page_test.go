//go:build linux

package e2e

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/topology"
)

var natsCLI = flag.String("nats", "", "path of the NATS CLI, whose commands the pages of alerts have")

const runbooks = "../runbooks"

func readPage(t *testing.T, alert string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(runbooks, alert+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	shellBlock  = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	console     = regexp.MustCompile("(?ms)^```console\n(.*?)^```")
	prompted    = regexp.MustCompile(`(?m)^\$ (.*)$`)
	lineComment = regexp.MustCompile(`\s+#.*$`)
	placeholder = regexp.MustCompile(`\b(POD|NUMBER|CALLID|EMAIL|TIME|SEQ|NAMESPACE)\b`)
)

// commandsOf are the lines that a page tells to type.
func commandsOf(page string) (lines []string) {
	for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			whole := strings.TrimRight(lineComment.ReplaceAllString(strings.TrimRight(line, "\n"), ""), " ")
			switch line = strings.TrimSpace(whole); {
			case line == "":
			case len(lines) > 0 && (line != whole || line == "done"): // of a loop
				lines[len(lines)-1] += "\n" + line
			default:
				lines = append(lines, line)
			}
		}
	}
	for _, block := range console.FindAllStringSubmatch(page, -1) {
		for _, line := range prompted.FindAllStringSubmatch(block[1], -1) {
			lines = append(lines, line[1])
		}
	}
	return lines
}

var podLogs = regexp.MustCompile(`^kubectl logs (?:-l app\.kubernetes\.io/component=(\w+)|(\S+))[^|]*`)

// reachable is a command as it can be run without Kubernetes: the log of a pod is
// a file here. It reports false for what there is no such thing for.
func (s *site) reachable(line string) (string, bool) {
	line = podLogs.ReplaceAllStringFunc(line, func(found string) string {
		of := podLogs.FindStringSubmatch(found)
		name := of[2]
		if of[1] != "" {
			name = of[1] + "-*"
		}
		return "cat " + filepath.Join(s.logs, name+".log") + " "
	})
	return line, !strings.HasPrefix(line, "kubectl ")
}

// filled is a command with what its placeholders stand for.
func filled(line string, means map[string]string) string {
	return placeholder.ReplaceAllStringFunc(line, func(name string) string {
		if is, known := means[name]; known {
			return is
		}
		return name
	})
}

// fine reports whether a command ended as it should: replay ends with 1 where it
// finds what it was asked for, a gap or a difference, and a log may have nothing
// but what grep -v leaves out, or nothing that grep -c counts.
func fine(line string, code int) bool {
	return code == 0 || code == 1 && (strings.HasPrefix(line, "replay ") || strings.Contains(line, "| grep -v ") || strings.Contains(line, "| grep -c "))
}

// typed runs a command of a page as the README of the pages says that it is run.
func (s *site) typed(line string) (said string, code int) {
	s.t.Helper()
	word := append(strings.Fields(line), "")
	switch word[0] + " " + word[1] {
	case "ingest check", "transform check", "deliver check":
		return s.shell(line, s.settingsOf(word[0]))
	case "deliver deadletters":
		return s.as(topology.Deliver, line)
	case "transform provision":
		return s.as(topology.Provisioner, line, "NATS_PROVISION=verify")
	case "nats server":
		return s.as(system, line)
	}
	return s.as(topology.Replay, line)
}

// settingsOf are those of a process of the program: the alert's, if it names one.
func (s *site) settingsOf(program string) []string {
	if settings, known := s.processes[s.pod]; known && strings.HasPrefix(s.pod, program+"-") {
		return settings
	}
	return s.processes[program+"-1"]
}

// as runs a command as a user of NATS. The CLI has to be told of inboxes that are the user's own.
func (s *site) as(user topology.Role, line string, more ...string) (said string, code int) {
	s.t.Helper()
	if after, ours := strings.CutPrefix(line, "nats "); ours && slices.Contains(topology.Roles(), user) {
		line = "nats --inbox-prefix=" + topology.InboxPrefix(user) + " " + after
	}
	return s.shell(line, append(s.user(string(user)), more...))
}

// cures runs a command that the page has under "How to cure".
func (s *site) cures(user topology.Role, line string, more ...string) {
	s.t.Helper()
	if _, cure, _ := strings.Cut(readPage(s.t, s.alert), "\n## How to cure\n"); !strings.Contains(cure, "`"+line+"`") {
		s.t.Errorf("the page of %s does not say %q", s.alert, line)
	}
	if said, code := s.as(user, filled(line, s.means), more...); code != 0 {
		s.t.Errorf("%s ends with %d:\n%s", line, code, said)
	}
}

func (s *site) shell(line string, env []string) (said string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	bin, err := filepath.Abs(binaries)
	cli, err2 := filepath.Abs(*natsCLI)
	s.must(errors.Join(err, err2))
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = cmp.Or(s.dir, s.t.TempDir())
	path := strings.Join([]string{bin, filepath.Dir(cli), os.Getenv("PATH")}, ":")
	cmd.Env = append(slices.Clone(env), "HOME="+cmd.Dir, "PATH="+path)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Errorf("%s: %v", line, err)
		return "", -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}
