//go:build linux

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"ringstream/schemas/topology"
)

// elsewhere are the targets of make that .ci/run does not run, and why.
var elsewhere = map[string]string{
	"run":          "it is what start starts, and its flags are tried here",
	"certify":      "ten minutes, and of each kind make test has a short form",
	"soak":         "hours, and make test has a short form",
	"bench":        "half an hour",
	"results":      "the end of bench",
	"profile":      "for people",
	"gen":          "make verify says whether it is due",
	"e2e":          "make test runs the same",
	"browser":      "chromium, and two minutes",
	"chart-docs":   "make chart says whether it is due",
	"chart-server": "a Kubernetes to build",
	"image":        "docker, podman or buildah",
	"image-try":    "buildah, runc and root",
	"alerts":       "promtool; make chart runs it",
	"alerts-live":  "prometheus, and half an hour",
	"alerts-quiet": "prometheus, and ten minutes",
}

// notHere are beginnings of commands that nothing here can be asked by, and why.
var notHere = map[string]string{
	"kubectl get":           "a cluster",
	"kubectl describe":      "a cluster",
	"kubectl top":           "a cluster",
	"kubectl logs":          "a cluster; what is done with the lines is tried",
	"kubectl exec":          "a cluster",
	"kubectl create secret": "a cluster",
	"kubectl apply -k":      "a cluster; make chart renders it",
	"kubectl delete":        "a cluster",
	"kubectl rollout":       "a cluster",
	"helm install":          "a cluster; make chart renders it, make chart-server installs it",
	"helm upgrade":          "a cluster; make chart-server does it",
	"helm rollback":         "a cluster; make chart-server does it",
	"helm test":             "a cluster; TestTrialTellsWhetherACallIsCarried is what it does",
	"helm --wait":           "a flag",
}

var (
	ofMake    = regexp.MustCompile(`ARGS=(?:"([^"]*)"|(\S+))`)
	runsTests = regexp.MustCompile(`-(?:run|bench) '(?:\(\?i\))?\^(\w+)\$'`)
	runsFile  = regexp.MustCompile(`\bdeploy/[\w/.-]+\.sh\b`)
	testNames = sync.OnceValue(func() map[string]bool {
		found := map[string]bool{}
		name := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w+)\(`)
		must(fs.WalkDir(os.DirFS("../.."), ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(filepath.Join("../..", path))
			for _, m := range name.FindAllStringSubmatch(string(text), -1) {
				found[strings.ToLower(m[1])] = true
			}
			return err
		}))
		return found
	})
)

// makes asks make what it would do, and whether that is there; and who does it.
func (n *newcomer) makes(c order) {
	line := strings.NewReplacer("<git ref>", "HEAD").Replace(c.line)
	cmd := exec.CommandContext(n.t.Context(), "bash", "-c", strings.Replace(line, "make ", "make -n ", 1))
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "MAKEFLAGS=", "MAKEOVERRIDES=", "MFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Errorf("%v: %v\n%s", c, err, out)
	}
	for _, m := range runsTests.FindAllStringSubmatch(string(out), -1) {
		if !testNames()[strings.ToLower(m[1])] {
			n.t.Errorf("%v runs %s, and there is none", c, m[1])
		}
	}
	for _, script := range runsFile.FindAllString(string(out), -1) {
		if _, err := os.Stat(filepath.Join("../..", script)); err != nil {
			n.t.Errorf("%v runs %s, and there is none", c, script)
		}
	}
	if args := ofMake.FindStringSubmatch(line); args != nil {
		n.exec(c, "bash", "-c", "bin/ringstream-local "+args[1]+args[2]+" -help 2> /dev/null")
	}
	_, rest, _ := strings.Cut(line, "make ")
	target, _, _ := strings.Cut(rest, " ")
	ran := regexp.MustCompile(`make ` + regexp.QuoteMeta(target) + `(?:\s|$)`).MatchString(n.page(".ci/run"))
	if target == "help" {
		ran = n.exec(c, "make", "help")
	}
	if _, known := elsewhere[target]; ran == known {
		n.t.Errorf("%v: is it run by .ci/run (%v), or elsewhere (%v)?", c, ran, known)
	}
}

var (
	selector = regexp.MustCompile(`-l (\S+)=(\S+)`)
	valueSet = regexp.MustCompile(`--set (\S+)=`)
	secretOf = regexp.MustCompile(`create secret generic (\S+)`)
	keysOf   = regexp.MustCompile(`--from-(?:literal|file)=([\w.-]+?)(?:=|\s|$)`)
	fileOf   = regexp.MustCompile(`(?:apply -k|install \S+) (deploy/\S+)`)
)

// deploys looks at what a command for Kubernetes names, and tries what is done with
// the lines of a log.
func (n *newcomer) deploys(c order, line string) {
	begins := func(beginning string) bool { return strings.Contains(" "+c.line, " "+beginning) }
	for part := range strings.SplitSeq(line, " && ") {
		known := false
		for beginning := range notHere {
			known = known || strings.HasPrefix(part, beginning)
		}
		if !known && !begins("for user in ") {
			n.t.Errorf("%v: nobody says why it is not tried", c)
		}
	}
	for _, l := range selector.FindAllStringSubmatch(line, -1) {
		if l[0] != "-l app.kubernetes.io/name=nats" && !strings.Contains(n.base, l[1]+": "+l[2]+"\n") {
			n.t.Errorf("%v: nothing has the label %s=%s", c, l[1], l[2])
		}
	}
	for _, v := range valueSet.FindAllStringSubmatch(line, -1) {
		if !strings.Contains(n.values, "\n| "+v[1]+" | ") {
			n.t.Errorf("%v: the chart has no value %s", c, v[1])
		}
	}
	for _, f := range fileOf.FindAllStringSubmatch(line, -1) {
		if found, _ := filepath.Glob(filepath.Join("../..", f[1], "[Ck]*.yaml")); len(found) == 0 {
			n.t.Errorf("%v: %s is neither chart nor overlay", c, f[1])
		}
	}
	n.secret(c, line)
	if local, here := n.reachable(line); here && begins("kubectl logs") && !begins("kubectl logs -l app.kubernetes.io/component=provision") {
		n.ends(c, func() (string, int) { return n.shell(local, nil) })
	}
}

// secret wants a Secret and its keys to be some that the chart asks for.
func (n *newcomer) secret(c order, line string) {
	for _, s := range secretOf.FindAllStringSubmatch(line, -1) {
		if name := strings.ReplaceAll(s[1], "$user", "ingest"); !regexp.MustCompile(`[sS]ecret: ` + name + `\b`).MatchString(n.values) {
			n.t.Errorf("%v: the chart asks for no Secret %s", c, name)
		}
		for _, k := range keysOf.FindAllStringSubmatch(line, -1) {
			if !regexp.MustCompile(`Key: ` + regexp.QuoteMeta(k[1]) + `\b`).MatchString(n.values) {
				n.t.Errorf("%v: the chart asks for no key %s", c, k[1])
			}
		}
	}
}

var (
	ofStream = regexp.MustCompile(`^nats stream (?:info|view|get|subjects|edit|restore|cluster step-down) ([A-Z_]+)`)
	ofBucket = regexp.MustCompile(`^nats kv ls (\S+)`)
	pattern  = regexp.MustCompile(`'([a-z]+)\.[^']*'`)
	untyped  = regexp.MustCompile(`^nats (?:stream (?:edit|restore|cluster)|server|plugins|stream view)`) // it changes something, or wants a terminal
)

// looks wants what is named to be there, and asks the NATS CLI where there is one;
// make alerts-live builds it and types all of them.
func (n *newcomer) looks(c order, line string) {
	layout := topology.Layout{Partitions: topology.DefaultPartitions, Replicas: 1}
	streams := topology.Streams(layout)
	if s := ofStream.FindStringSubmatch(line); s != nil && !slices.ContainsFunc(streams, func(o topology.Stream) bool { return o.Name == s[1] }) {
		n.t.Errorf("%v: there is no stream %s", c, s[1])
	}
	if b := ofBucket.FindStringSubmatch(line); b != nil && !slices.ContainsFunc(topology.Buckets(layout), func(o topology.Bucket) bool { return o.Name == b[1] }) {
		n.t.Errorf("%v: there is no bucket %s", c, b[1])
	}
	if p := pattern.FindStringSubmatch(line); p != nil && !slices.ContainsFunc(streams, func(o topology.Stream) bool {
		return slices.ContainsFunc(append(o.Subjects, topology.CallAll), func(s string) bool { return strings.HasPrefix(s, p[1]+".") })
	}) {
		n.t.Errorf("%v: no stream has subjects of %s", c, p[1])
	}
	if _, err := os.Stat(*natsCLI); err != nil || untyped.MatchString(line) || c.named {
		return
	}
	n.types(c, line)
}
