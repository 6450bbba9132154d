package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// figures are what a run prints at its end.
type figures struct{ lines []string }

func (f *figures) add(format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

func (f *figures) String() string { return "\n  " + strings.Join(f.lines, "\n  ") }

// figures tells what came of the deliveries.
func (e *evidence) figures() *figures {
	f := &figures{}
	deliveries := 0
	for _, s := range e.said {
		deliveries += len(s.Audience)
	}
	f.add("%d call events, %d deliveries, %d outcomes, %d dead letters", len(e.said), deliveries, len(e.outcomes), len(e.letters))
	ended := map[event.CallType]map[string]int{}
	attempts := 0
	for _, o := range e.outcomes {
		if ended[o.Type] == nil {
			ended[o.Type] = map[string]int{}
		}
		ended[o.Type][string(o.Outcome)]++
		attempts += o.Attempts
	}
	for _, kind := range []event.CallType{event.Incoming, event.Answered, event.Ended, event.Missed} {
		f.add("  %-9s %s", kind, listOf(ended[kind]))
	}
	first, again, platform := e.attempts()
	f.add("POSTs: %d first attempts, %d repetitions (%.1f %%); requests in all %d; %d attempts recorded", first, again, 100*float64(again)/float64(max(first, 1)), platform, attempts)
	rate, atATime := e.most()
	f.add("at reapit-sim, by its journal: at most %d in a second, %d at a time", rate, atATime)
	f.add("faults met: %s", strings.Join(e.met(), ", "))
	for _, kind := range []event.CallType{event.Incoming, event.Missed} {
		f.add("from hearing to the accepted POST, %s: %s", kind, spreadOf(e.delays(kind, func(said, posted) bool { return true })))
	}
	return f
}

// attempts counts the POSTs of notifications, by target.
func (e *evidence) attempts() (first, again, platform int) {
	seen := map[string]bool{}
	for _, r := range e.requests {
		if r.platform() {
			platform++
		}
		if r.SubType == "" {
			continue
		}
		key := fmt.Sprint(r.Customer, r.NegotiatorIDs, r.CallID, r.SubType)
		if seen[key] {
			again++
		} else {
			first++
		}
		seen[key] = true
	}
	return first, again, platform
}

// delays are how long the delivered events of a type took from hearing to the
// arrival of the POST that was accepted, of those that count.
func (e *evidence) delays(kind event.CallType, counts func(said, posted) bool) (all []time.Duration) {
	stories, _ := e.stories()
	for _, s := range stories {
		ev := s.event(kind)
		if ev == nil {
			continue
		}
		i := slices.IndexFunc(s.posts, func(p posted) bool { return p.of == ev && p.told() })
		if i >= 0 && counts(*ev, s.posts[i]) {
			all = append(all, s.posts[i].Time.Sub(ev.RecordedAt))
		}
	}
	slices.Sort(all)
	return all
}

// quantile is of sorted values; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func spreadOf(sorted []time.Duration) string {
	ms := func(q float64) time.Duration { return quantile(sorted, q).Round(time.Millisecond) }
	return fmt.Sprintf("%d, p50 %v, p99 %v, most %v", len(sorted), ms(0.5), ms(0.99), ms(1))
}

// violations tells of all kinds, and shows some of each.
func (f *figures) violations(found []finding, tell func(string, ...any)) {
	counts := kindsOf(found)
	f.add("violations: %s", listOf(counts))
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		shown := 0
		for _, one := range found {
			if one.kind == kind && shown < 5 {
				shown++
				tell("%s", one)
			}
		}
		if more := counts[kind] - shown; more > 0 {
			tell("and %d more %q", more, kind)
		}
	}
}
