//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/topology"
)

// order is a command that a page tells to type, or, in its text, names.
type order struct {
	page, line string
	named      bool // it may lack what it needs
}

var (
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	ofShell  = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*(?:bin/|old/)?(make|replay|ingest|transform|deliver|rte-sim|reapit-sim|nats|curl|go|helm|kubectl|docker|podman|buildah|npm|git|source|sh|bash) [^…\s]`)
	settings = regexp.MustCompile(`^(?:[A-Z_]+=\S*\s*)+(?:…\s*)?$`)
)

// orders are the commands of all pages, each once.
func orders(t *testing.T) (all []order) {
	t.Helper()
	known := map[string]bool{}
	add := func(c order) {
		if !known[c.line] {
			known[c.line] = true
			all = append(all, c)
		}
	}
	pages := pages(t)
	for _, path := range slices.Sorted(maps.Keys(pages)) {
		for _, line := range commandsOf(pages[path]) {
			add(order{path, line, false})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(pages)) {
		if strings.Contains(path, "adr/") || strings.HasSuffix(path, "CHANGELOG.md") {
			continue // they tell what was decided and added, of another day too
		}
		for _, span := range codeSpan.FindAllStringSubmatch(fenced.ReplaceAllString(pages[path], ""), -1) {
			if ofShell.MatchString(span[1]) && !strings.HasSuffix(span[1], " …") {
				add(order{path, span[1], true})
			}
		}
	}
	return all
}

// newcomer types what the pages tell to type, on a machine where the stack of make
// run is at work and a screen was not told of its call.
type newcomer struct {
	*site
	empty  []string // settings that lead to the NATS of make run ARGS=-empty
	values string   // what the chart can be told
	base   string   // what it makes
}

// Every command of every page works: it is typed here where it can be, and
// otherwise what can be seen of it without a cluster or hours of time is looked at.
func TestCommandsOfTheDocs(t *testing.T) {
	t.Parallel() // most of it is waiting
	all := orders(t)
	if len(all) < 100 {
		t.Fatalf("only %d commands found", len(all))
	}
	n := arrive(t)
	var first, later []order // what makes a file goes before what reads it
	for _, c := range all {
		if strings.Contains(c.line, "x.bundle") {
			first = append(first, c)
		} else {
			later = append(later, c)
		}
	}
	var typing sync.WaitGroup
	typing.Go(func() {
		for _, c := range first {
			n.try(c)
		}
	})
	hands := make(chan struct{}, 6)
	for _, c := range later {
		typing.Go(func() {
			hands <- struct{}{}
			defer func() { <-hands }()
			n.try(c)
		})
	}
	typing.Wait()
	n.missing(all)
}

// arrive starts a stack and does what the README does before it explains a call.
func arrive(t *testing.T) *newcomer {
	t.Helper()
	n := &newcomer{site: siteOf(start(t, stack.Options{Ingest: 2, Env: map[string][]string{"ingest": {"LOG_FORMAT=json"}, "transform": {"LOG_FORMAT=json"}, "deliver": {"LOG_FORMAT=json"}}}))}
	n.dir, n.pod = t.TempDir(), "ingest-1"
	n.empty = stack.Settings(start(t, stack.Options{Bare: true}).NATS(tester))
	n.values = n.page("deploy/chart/values.yaml") + n.page("deploy/chart/README.md")
	files, err := filepath.Glob("../kustomize/base/*.yaml")
	n.must(err)
	for _, file := range files {
		n.base += n.page("deploy/" + strings.TrimPrefix(file, "../"))
	}
	if *natsCLI == "" {
		*natsCLI = "../../.bin/nats"
	}
	n.rings()
	return n
}

func (n *newcomer) page(path string) string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	n.must(err)
	return string(text)
}

var (
	faultLine   = regexp.MustCompile("`(curl -s 127\\.0\\.0\\.1:20101/control/faults [^`]*)`")
	explainLine = regexp.MustCompile(`(?m)^\$ (bin/replay explain .*)\n(.*HTTP 422)`)
)

// rings has the README's fault keep a call from a screen, and its replay say so.
func (n *newcomer) rings() {
	n.t.Helper()
	readme := n.page("README.md")
	fault, explain := faultLine.FindStringSubmatch(readme), explainLine.FindStringSubmatch(readme)
	if fault == nil || explain == nil {
		n.t.Fatal("the README explains no call")
	}
	var letters uint64
	n.eventually(time.Minute, say("%q of %s", explain[2], explain[1]), func() bool { // it looks back for a few seconds only
		n.try(order{"README.md", fault[1], false})
		done := n.play(play{Text: "-- call --\ncaller=+447123456780 called=+442071838702\n+0s UserCallInComing user=tom\n+0s UserCallInUserAllocated user=tom\n" +
			"+0.3s UserCallInDisconnected user=tom reason=remote\n", Wait: true})
		n.means = map[string]string{"POD": n.pod, "NUMBER": "1", "CALLID": done.CallIDs[0], "EMAIL": "tom@agency.example", "TIME": "1m", "SEQ": "1", "NAMESPACE": "default"}
		letters++
		n.eventually(time.Minute, say("a dead letter"), func() bool { return n.stored("DEADLETTERS", "deadletters.>") >= letters })
		said, code := n.typed(strings.TrimPrefix(explain[1], "bin/"))
		return code == 0 && strings.HasPrefix(said, explain[2])
	})
}

// instead is what a line of the pages is here: other ports, and what takes longer or
// never ends is told to end soon.
func (n *newcomer) instead(line string) string {
	sim, _ := url.Parse(n.ReapitSim())
	line = strings.NewReplacer(
		"127.0.0.1:20101", sim.Host, "127.0.0.1:8080", n.targets[0].address, "bin/", "", "old/", "", "<callId>", "CALLID",
		"show 12", "show NUMBER", "redrive 12", "redrive NUMBER", "--for 20s", "--for 2s", "--at 10s --within 10s", "--at TIME", "-o DIR", "-o creds",
		"replay serve", "replay serve --listen 127.0.0.1:0",
	).Replace(line)
	return filled(line, n.means)
}

// interrupted are those that somebody interrupts.
var interrupted = regexp.MustCompile(`^(?:replay tail|replay serve|replay watch$|nats sub |nats stream view )`)

// try types a command, or looks at what can be seen of it.
func (n *newcomer) try(c order) {
	line := n.instead(c.line)
	name := c.line
	if found := ofShell.FindStringSubmatch(name); found != nil {
		name = found[1]
	}
	switch {
	case settings.MatchString(c.line):
		n.known(c)
	case name == "make":
		n.makes(c)
	case !n.exec(c, "bash", "-n", "-c", line): // it is no command of a shell
	case name == "go":
		n.goes(c, line)
	case name == "curl":
		n.asks(c, line)
	case strings.Contains(c.line, "kubectl "), name == "helm":
		n.deploys(c, line)
	case name == "nats":
		n.looks(c, line)
	case name == "replay" && c.named:
		n.exec(c, "bash", "-c", line+" --help > /dev/null")
	case strings.HasSuffix(line, " config"):
		program := strings.TrimSuffix(line, " config")
		n.ends(c, func() (string, int) { return n.shell(line, n.settingsOf(program)) })
	default:
		n.types(c, line)
	}
}

// types runs one of ours.
func (n *newcomer) types(c order, line string) {
	if unknown := placeholder.FindString(line); unknown != "" {
		n.t.Errorf("%s: nobody says what %s stands for: %s", c.page, unknown, c.line)
	}
	switch {
	case strings.HasPrefix(line, "replay import "):
		n.ends(c, func() (string, int) { return n.shell(line, n.empty) })
	case strings.HasPrefix(line, "NATS_PROVISION="):
		n.ends(c, func() (string, int) { return n.as(topology.Provisioner, line) })
	case line == "deliver deadletters":
		n.exec(c, "bash", "-c", line+" --help > /dev/null")
	case interrupted.MatchString(line):
		said, code := n.as(reader(line), "timeout -s INT 2 "+line)
		if code != 124 && code != 0 {
			n.t.Errorf("%s: %s ends with %d:\n%s", c.page, c.line, code, said)
		}
	default:
		n.ends(c, func() (string, int) { return n.typed(line) })
	}
}

// reader is the user as whom something is looked at.
func reader(line string) topology.Role {
	if strings.HasPrefix(line, "nats sub ") {
		return topology.Subscriber
	}
	return topology.Replay
}

// ends wants a command to end as it should.
func (n *newcomer) ends(c order, run func() (string, int)) {
	begun := time.Now()
	said, code := run()
	if took := time.Since(begun); took > 3*time.Second {
		n.t.Logf("%v: %v", c, took)
	}
	nothing := strings.Contains(c.line, " | grep ") || strings.Contains(said, "no message found") // of what nobody has done here
	if !fine(n.instead(c.line), code) && (code != 1 || !nothing) {
		n.t.Errorf("%s: %s ends with %d:\n%s", c.page, c.line, code, said)
	}
}

// exec runs something from the root of the repository and wants it to succeed.
func (n *newcomer) exec(c order, name string, args ...string) bool {
	cmd := exec.CommandContext(n.t.Context(), name, args...)
	cmd.Dir = "../.."
	bin, err := filepath.Abs(binaries)
	n.must(err)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MAKEFLAGS=", "MAKEOVERRIDES=", "MFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Errorf("%s: %s: %s %v: %v\n%s", c.page, c.line, name, args, err, out)
	}
	return err == nil
}

// known wants every setting of a line to be one of a service's.
func (n *newcomer) known(c order) {
	var tables string
	for _, program := range []string{stack.Ingest, stack.Transform, stack.Deliver} {
		said, _ := n.shell(program+" config", n.settingsOf(program))
		tables += "\n" + said
	}
	for word := range strings.FieldsSeq(c.line) {
		name, _, _ := strings.Cut(word, "=")
		if !strings.Contains(tables, "\n"+strings.TrimSuffix(name, "_FILE")+" ") && !strings.Contains(tables, "\n"+name+" ") && name != "…" {
			n.t.Errorf("%s: nobody has a setting %s", c.page, name)
		}
	}
}

// asks does what curl would.
func (n *newcomer) asks(c order, line string) {
	method, body := http.MethodGet, ""
	if rest, data, posts := strings.Cut(line, " -d "); posts {
		line, method, body = rest, http.MethodPost, strings.Trim(data, "'")
	}
	words := strings.Fields(line)
	request, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+words[len(words)-1], strings.NewReader(body))
	n.must(err)
	resp, err := http.DefaultClient.Do(request)
	n.must(err)
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		n.t.Errorf("%s: %s: %s", c.page, c.line, resp.Status)
	}
}

// goes builds what go would run, and runs it for a moment; a package that is tested is not tested here.
func (n *newcomer) goes(c order, line string) {
	words := strings.Fields(line)
	if words[1] == "test" {
		n.tested(c, words)
		return
	}
	binary := filepath.Join(n.dir, "run-"+filepath.Base(words[2]))
	if !n.exec(c, "go", "build", "-o", binary, words[2]) {
		return
	}
	me := n.NATS(string(topology.Subscriber))
	address, err := url.Parse(me.URL)
	n.must(err)
	address.User = url.UserPassword(me.User, me.Password)
	said, code := n.shell("timeout -s INT 2 "+binary+" "+strings.Join(words[3:], " "), []string{"NATS_URL=" + address.String(), "SSL_CERT_FILE=" + me.CA})
	if code != 0 && code != 124 {
		n.t.Errorf("%s: %s ends with %d:\n%s", c.page, c.line, code, said)
	}
}

// tested wants a package and its test to be there: of the repository, or of the
// module that the page is in.
func (n *newcomer) tested(c order, words []string) {
	module, _, _ := strings.Cut(c.page, "/")
	var text string
	for _, dir := range []string{".", module} {
		found, err := filepath.Glob(filepath.Join("../..", dir, words[2], "*_test.go"))
		n.must(err)
		for _, file := range found {
			text += n.page(strings.TrimPrefix(file, "../../"))
		}
	}
	wanted := ""
	if i := slices.Index(words, "-run"); i > 0 {
		wanted = words[i+1]
	}
	if !regexp.MustCompile(`(?m)^func Test\w*(?:` + wanted + `)`).MatchString(text) {
		n.t.Errorf("%v: there is no such test", c)
	}
}

// missing complains of reasons for which no page has a use.
func (n *newcomer) missing(all []order) {
	reasons := map[string]bool{}
	for target := range elsewhere {
		reasons["make "+target] = true
	}
	for beginning := range notHere {
		reasons[beginning] = true
	}
	for reason := range reasons {
		if !slices.ContainsFunc(all, func(c order) bool { return strings.Contains(" "+c.line, " "+reason) }) {
			n.t.Errorf("no page tells to type %s", reason)
		}
	}
}

func (c order) String() string { return fmt.Sprintf("%s: %s", c.page, c.line) }
