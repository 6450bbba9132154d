//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// trouble is what one negotiator or one tenant has for a while.
type trouble struct {
	ailment
	match      string // of reapit-sim's rule
	customer   string
	negotiator string // empty: all of the customer's
}

func (t trouble) has(s laneKey) bool {
	return s.customer == t.customer && (t.negotiator == "" || s.negotiator == t.negotiator)
}

// phase is a time in which some have trouble.
type phase struct {
	name     string
	troubles []trouble
	from     time.Time
	until    time.Time
}

// slowedBy is how much longer a ring may take while others have trouble, and
// atLeast what is no difference on a machine that does other things, too. A brief
// run has ten rings, and the first failures of everybody in their middle.
const (
	slowedBy     = 1.5
	atLeast      = 50 * time.Millisecond
	atLeastBrief = 500 * time.Millisecond
)

// troubles are those of the first tenants, each another. In a brief run only
// what has not all day hangs.
func troubles(offices []office, brief bool) (all []trouble) {
	hangs := trouble{ailment: ailment{name: "one negotiator hangs", action: `{"hang":true}`}, customer: offices[0].customer, negotiator: negotiatorName(0)}
	hangs.match = fmt.Sprintf(`{"path":"/notifications","customer":%q,"negotiatorId":%q}`, hangs.customer, hangs.negotiator)
	if brief {
		hangs.match = strings.Replace(hangs.match, "}", `,"subType":"incomingCall"}`, 1)
	}
	all = append(all, hangs)
	for i, status := range []int{401, 403, 500} {
		if i+1 >= len(offices) {
			break
		}
		t := trouble{ailment: ailment{name: fmt.Sprintf("one tenant answers %d", status), action: fmt.Sprintf(`{"status":%d}`, status)}, customer: offices[i+1].customer}
		t.match = fmt.Sprintf(`{"path":"/notifications","customer":%q}`, t.customer)
		all = append(all, t)
	}
	return all
}

// TestDeliverIsolation: one negotiator's requests hang, one tenant's are refused
// or fail; nobody else's calls ring later than without.
func TestDeliverIsolation(t *testing.T) {
	t.Parallel() // most of it is waiting
	span, _, seed := lasting(t, 6*time.Second, 2*time.Minute)
	var offices []office
	for i, customer := range isolated {
		offices = append(offices, newOffice(i+1, customer, 8))
	}
	d := newDesk(t, usually(), offices...)
	d.control("latency", `{"meanMs":45,"jitterMs":15}`, nil)
	d.open(2, d.tenancy(), "REAPIT_SHARED_TOKEN=true")
	wait(t.Context(), time.Second) // until what both replicas read at their start counts no more

	all := troubles(offices, brief(span))
	phases := []*phase{{name: "undisturbed"}}
	if !brief(span) {
		for _, one := range all {
			phases = append(phases, &phase{name: one.name, troubles: []trouble{one}})
		}
	}
	phases = append(phases, &phase{name: "all of it at once", troubles: all})
	var said []cue
	for i, p := range phases {
		said = append(said, d.through(p, isolationCues(seed, i, span, offices))...)
		d.drained(notifications(said), 10*time.Minute)
	}
	d.close()

	e := d.evidence(said)
	found := e.check()
	f := e.figures()
	floor := atLeast
	if brief(span) {
		floor = atLeastBrief
	}
	found = append(found, e.apart(f, phases, floor)...)
	d.verdict(f, found)
}

// isolated are the customers of the run.
var isolated = []string{"SBOX", "RES", "YOM", "DXX", "EXX"}

// tenancy is the setting that says whose organizations are whose.
func (d *desk) tenancy() string {
	if len(d.offices) == 1 {
		return d.single()
	}
	var text strings.Builder
	for _, o := range d.offices {
		fmt.Fprintf(&text, "%s: {customer: %s}\n", o.organization, o.customer)
	}
	file := filepath.Join(d.dir, "tenants.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return "TENANTS_FILE=" + file
}

// isolationCues are the same calls in each phase, under other ids.
func isolationCues(seed uint64, number int, span time.Duration, offices []office) (all []cue) {
	m := mix{
		perSecond: 7 / float64(len(offices)), group: 2, direct: 0.7, missed: 0.3, quick: 0.1,
		ring: [2]time.Duration{2 * time.Second, 8 * time.Second}, talk: [2]time.Duration{2 * time.Second, 8 * time.Second},
	}
	for i, o := range offices {
		all = append(all, m.cues(rand.New(rand.NewPCG(seed, uint64(i))), span, o)...)
	}
	for i := range all {
		all[i].call.CallID = fmt.Sprintf("%08d", number) + all[i].call.CallID[8:]
	}
	slices.SortStableFunc(all, func(a, b cue) int { return int(a.at - b.at) })
	return all
}

// through lets calls come while some have trouble.
func (d *desk) through(p *phase, cues []cue) []cue {
	d.t.Helper()
	var rules []int
	for _, one := range p.troubles {
		rules = append(rules, d.plant(one.ailment, fmt.Sprintf(`{"match":%s,"action":%s}`, one.match, one.action)))
	}
	p.from = time.Now()
	cues = d.say(d.t.Context(), cues)
	p.until = time.Now()
	for _, rule := range rules {
		d.heal(rule)
	}
	return cues
}

// apart tells how long the calls of those without trouble took to ring, in each
// phase, and finds where that was too long.
func (e *evidence) apart(f *figures, phases []*phase, floor time.Duration) (found []finding) {
	for _, p := range phases {
		times, lost := e.ringing(p, p.troubles)
		base, _ := e.ringing(phases[0], p.troubles) // of the same people
		usual := quantile(base, 0.99)
		f.add("%s: from hearing to the POST, incoming of those without trouble: %s; %.2f times the undisturbed p99 (%v); %d given up",
			p.name, spreadOf(times), float64(quantile(times, 0.99))/float64(max(usual, 1)), usual.Round(time.Millisecond), lost)
		if most := max(time.Duration(slowedBy*float64(usual)), floor); quantile(times, 0.99) > most || lost > 0 || len(times) == 0 {
			found = append(found, finding{where: reapitSide, kind: late, id: p.name, note: fmt.Sprintf("p99 is %v, %d were given up", quantile(times, 0.99), lost)})
		}
	}
	return found
}

// ringing is how long the incoming of a phase took, but for those who have some
// trouble, and how many of them were given up.
func (e *evidence) ringing(p *phase, but []trouble) (times []time.Duration, lost int) {
	stories, _ := e.stories()
	for k, s := range stories {
		ring := s.event(event.Incoming)
		if ring == nil || ring.RecordedAt.Before(p.from) || ring.RecordedAt.After(p.until) || slices.ContainsFunc(but, func(t trouble) bool { return t.has(k) }) {
			continue
		}
		i := slices.IndexFunc(s.posts, func(p posted) bool { return p.of == ring && p.told() })
		if i < 0 {
			lost++
			continue
		}
		times = append(times, s.posts[i].Time.Sub(ring.RecordedAt))
	}
	slices.Sort(times)
	return times, lost
}
