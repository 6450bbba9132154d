//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"

	"ringstream/schemas/event"
)

// certificate is what a run proves, for those who were not there.
type certificate struct {
	Run        string            `json:"run"`
	Seed       uint64            `json:"seed"`
	Began      time.Time         `json:"began"`
	Lasted     string            `json:"lasted"`
	Versions   map[string]string `json:"versions"`
	Machine    map[string]string `json:"machine"`
	Means      map[string]string `json:"means"` // how what was done
	Faults     map[string]int    `json:"faults"`
	FaultsDone int               `json:"faultsDone"`
	Ailments   []string          `json:"ailments"` // that single requests to Reapit met
	Counts     map[string]int    `json:"counts"`
	Figures    map[string]string `json:"figures"`
	Promises   []promise         `json:"promises"`
	Violations map[string]int    `json:"violations"`
	Examples   []string          `json:"examples"`
}

// promise is one thing that was checked.
type promise struct {
	Says       string `json:"says"`
	Violations int    `json:"violations"`
}

// checked are the promises, each with the kinds of findings that break it; where
// there are none named, all in that place do.
var checked = []struct {
	says  string
	where []string
	kinds []string
}{
	{"Every event that a subscribed connection was sent is in RTE once, byte for byte, and behind no later one of its call", []string{"RTE"}, []string{missingEvent, doubledEvent, extraEvent, misplaced, changedEvent}},
	{"The gaps that are stated are the gaps that there were", []string{"RTE"}, []string{misstated}},
	{"Of a call that RTE has whole and beside no gap, CALLS tells what the hub's plan says, to whom it says", []string{"CALLS"}, []string{notAsPlanned}},
	{"CALLS and every CALL_LOG_<p> are, byte for byte, the reference fold of RTE", []string{"CALLS", "CALL_LOG_0", "CALL_LOG_1", "CALL_LOG_2", "CALL_LOG_3"}, nil},
	{"Each call event has exactly one outcome for each of its audience", []string{outcomeLog}, []string{missingEvent, doubledEvent, extraEvent}},
	{"Every outcome is true and has a reason; every missed call arrives", []string{outcomeLog}, []string{untrue, unjustified, noLetter, baselessLetter, undelivered}},
	{"Each negotiator is told of a call in order, one after the other", []string{reapitSide}, []string{misplaced, overlapping}},
	{"Nothing is told twice but what was under way when whoever delivered lost its place", []string{reapitSide}, []string{postedTwice, afterOutcome}},
	{"When nothing is hurt any more, whoever is rung is shown it within 5 s of the hub's event", []string{reapitSide}, []string{notShown}},
	{"No notification is sent that shows a call after its end, after somebody else's answer or after its deadline", []string{reapitSide}, []string{afterTheEnd, elsewhereFirst, late, neverShown}},
	{"What a fault excuses is rare", []string{""}, []string{excusedTooOften}},
	{"Nothing goes to a wrong tenant or negotiator, or says what it ought not to", []string{reapitSide, outcomeLog}, []string{wrongCustomer, wrongContent}},
	{"Reapit is asked no more, in any second and at a time, than it allows", []string{reapitSide}, []string{overTheRate, overConcurrency, limited}},
}

// certify writes down a run.
func (h *premises) certify(seed uint64, began time.Time, j judged) certificate {
	c := certificate{
		Run: "whole", Seed: seed, Began: began.UTC().Truncate(time.Second), Lasted: time.Since(began).Round(time.Second).String(),
		Versions: versions(h.t), Machine: machine(), Means: h.means(), Faults: h.quorum.kindsOfFaults(), Ailments: j.e.met(),
		Violations: kindsOf(j.found),
		Counts: map[string]int{
			"raw events of the hub": len(j.heard.hearers()), "raw events in RTE": len(j.heard.stored), "raw events sent, to each connection": len(j.heard.sent),
			"not stored, which nobody may have heard": j.heard.doubt, "call events": j.calls, "outcomes": len(j.e.outcomes), "requests to Reapit": len(j.e.requests),
			"notifications shown twice, when whoever delivered lost its place":              j.doubles,
			"calls shown after their end, while nobody could hear of it":                    len(j.stale),
			"ends and answers of calls that were not shown":                                 j.unshown,
			"changes of who delivers, and snapshots":                                        len(j.e.reigns),
			"requests to Reapit that a cut way held back":                                   len(j.e.heldBack()),
			"requests to Reapit that were under way there for longer than for their sender": j.e.abandoned(),
			"raw events behind later ones of other calls":                                   len(j.heard.behind),
			"calls that the hub told of":                                                    len(h.plan), "calls that RTE has whole and beside no gap, which CALLS tells of as planned": j.whole,
			clocksWrong: h.quorum.count(clocksWrong), "kill -9": h.quorum.count(kills), takeOvers: h.quorum.count(takeOvers), streamLeaders: h.quorum.count(streamLeaders), metaLeaders: h.quorum.count(metaLeaders),
		},
		Figures: h.figures(j),
	}
	for _, n := range c.Faults {
		c.FaultsDone += n
	}
	h.everybody(func(s *spot) { c.Counts["ends after SIGTERM, while hurt otherwise, with an error"] += s.failed })
	outcomes := map[string]int{}
	for _, o := range j.e.outcomes {
		outcomes[string(o.Outcome)]++
	}
	for what, n := range outcomes {
		c.Counts["outcomes: "+what] = n
	}
	c.judged(j.found)
	return c
}

// judged sorts what was found by the promises that it breaks.
func (c *certificate) judged(found []finding) {
	left := slices.Clone(found)
	for _, p := range checked {
		n := len(left)
		left = slices.DeleteFunc(left, func(f finding) bool {
			return slices.Contains(p.where, f.where) && (p.kinds == nil || slices.Contains(p.kinds, f.kind))
		})
		c.Promises = append(c.Promises, promise{p.says, n - len(left)})
	}
	if len(left) > 0 {
		c.Promises = append(c.Promises, promise{"others", len(left)})
	}
	for _, f := range found[:min(len(found), 50)] {
		c.Examples = append(c.Examples, f.String())
	}
}

// figures are maxima and the like, in words.
func (h *premises) figures(j judged) map[string]string {
	rate, atATime := j.e.most()
	all := []span{{time.Time{}, time.Now()}}
	return map[string]string{
		"from the hub's event to the POST, incoming, whatever was hurt":      spreadOf(j.e.rings(all...)),
		"from the hub's event to the POST, incoming, in the rest at the end": spreadOf(j.e.rings(j.rest)),
		"from ingest's hearing to the POST, missed":                          spreadOf(j.e.delays(event.Missed, func(said, posted) bool { return true })),
		"from kill -9 of the one that delivers to the next POST":             spreadOf(j.e.handedOn(h.orphaned)),
		"most in ingest's queue":                                             fmt.Sprintf("%d messages", h.quorum.count(longestQueue)),
		"requests to Reapit":                                                 fmt.Sprintf("at most %d in a second (allowed %d), %d at a time (allowed %d)", rate, h.rate, atATime, h.concurrency),
		"a call shown after its end, at most":                                most(j.stale).String(),
		"a request to Reapit held back by a cut way, at most":                most(j.e.heldBack()).String(),
		"a call that so came to be shown after its end, at most":             most(j.e.overtaken()).String(),
		"a raw event behind a later one of another call, at most":            most(slices.Collect(maps.Values(j.heard.behind))).String(),
		"gaps": j.gaps.told,
	}
}

// most is the longest.
func most(all []time.Duration) time.Duration {
	return slices.Max(append(all, 0)).Round(time.Millisecond)
}

// handedOn is how long it took until somebody posted again.
func (e *evidence) handedOn(kills []span) (all []time.Duration) {
	for _, k := range kills {
		i := slices.IndexFunc(e.requests, func(r request) bool { return r.SubType != "" && r.Time.After(k.until.Add(ofTheKilled)) })
		if i >= 0 {
			all = append(all, e.requests[i].Time.Sub(k.from))
		}
	}
	slices.Sort(all)
	return all
}

const longestQueue = "longest queue of ingest"

// kindsOfFaults is how often what was done.
func (c *quorum) kindsOfFaults() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	kinds := map[string]int{}
	for _, s := range c.strikes {
		kinds[s.name]++
	}
	return kinds
}

// means tells how those faults were made that can be made in more than one way.
func (h *premises) means() map[string]string {
	m := map[string]string{
		"partitions": "TCP proxies between each replica and each NATS server or Reapit, which hold everything back or reset every connection, and keep a book of it: when a request was sent is read there; of the hub, what rte-sim does to its connections; of a NATS server from the others, SIGSTOP",
		"clocks":     "the second build has a time.Now that is 2 s ahead or behind, by an overlay of the standard library (go build -overlay); the wall clock only, of one replica of a service at a time",
		"disks":      "SPOOL_DIR on a tmpfs of 64 MiB for each replica, filled to the last byte; a replica is not killed while that is so, because it says itself that what it then has in memory dies with it",
		"ends":       "a replica that is asked to end while it is cut off or NATS is hurt may say that it could not store everything in SHUTDOWN_TIMEOUT, and keep it for its next start",
		"hub":        "every connection reset, and its REST API answers 5xx for a while",
	}
	for _, small := range h.small {
		if !small {
			m["disks"] = "a limit of 0 bytes for every file that ingest writes (no file system could be mounted here)"
		}
	}
	if h.second == binaries {
		m["clocks"] = "none: there was no second build"
	}
	return m
}

func versions(t testing.TB) map[string]string {
	v := map[string]string{"Go": runtime.Version(), "nats-server": server.VERSION}
	for _, service := range rolledOver {
		said, err := exec.CommandContext(t.Context(), filepath.Join(binaries, service), "version").Output()
		if err != nil {
			t.Error(err)
		}
		v[service] = strings.TrimSpace(string(said))
	}
	return v
}

func machine() map[string]string {
	m := map[string]string{"system": runtime.GOOS + "/" + runtime.GOARCH, "processors": fmt.Sprint(runtime.NumCPU())}
	var fs unix.Statfs_t
	if unix.Statfs(os.TempDir(), &fs) == nil {
		m["streams are on"] = map[bool]string{true: "a tmpfs", false: "a disk"}[fs.Type == unix.TMPFS_MAGIC]
	}
	for file, line := range map[string]string{"/proc/cpuinfo": "model name", "/proc/meminfo": "MemTotal"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if _, rest, is := strings.Cut(string(text), line); is {
			value, _, _ := strings.Cut(rest, "\n")
			m[line] = strings.Trim(value, " \t:")
		}
	}
	return m
}

// write leaves the certificate in a directory, for machines and for people.
func (c certificate) write(dir string) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "certificate.json"), append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "certificate.md"), c.text(), 0o600)
	}
	return err
}

// text is the certificate to read.
func (c certificate) text() []byte {
	var b bytes.Buffer
	violations := 0
	for _, n := range c.Violations {
		violations += n
	}
	fmt.Fprintf(&b, "# Certificate: %d violations\n\n", violations)
	fmt.Fprintf(&b, "`make certify SEED=%d`, begun %s, %s. %d faults of %d kinds under %d raw events.\n", c.Seed, c.Began.Format(time.RFC3339), c.Lasted, c.FaultsDone, len(c.Faults), c.Counts["raw events in RTE"])
	b.WriteString("\n| promise | violations |\n|---|---:|\n")
	for _, p := range c.Promises {
		fmt.Fprintf(&b, "| %s | %d |\n", p.Says, p.Violations)
	}
	table(&b, "fault", c.Faults)
	table(&b, "count", c.Counts)
	table(&b, "figure", c.Figures)
	table(&b, "how it was done", c.Means)
	fmt.Fprintf(&b, "\nSingle requests to Reapit met: %s.\n", strings.Join(c.Ailments, ", "))
	table(&b, "version", c.Versions)
	table(&b, "machine", c.Machine)
	if len(c.Examples) > 0 {
		b.WriteString("\n## Violations\n\n")
	}
	for _, e := range c.Examples {
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(e, "\n", " "))
	}
	return b.Bytes()
}

func table[V any](b *bytes.Buffer, what string, rows map[string]V) {
	fmt.Fprintf(b, "\n| %s | |\n|---|---|\n", what)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(fmt.Sprint(rows[name]), "\n", " "))
	}
}
