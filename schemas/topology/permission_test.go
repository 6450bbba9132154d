package topology_test

import (
	"slices"
	"strings"
	"testing"

	"ringstream/schemas/topology"
)

var office = topology.Layout{Partitions: 3, Replicas: 1}

// overlaps names what of some patterns matches a subject that a pattern matches.
func overlaps(patterns []string, with string) (found []string) {
	for _, p := range patterns {
		if overlap(p, with) {
			found = append(found, p)
		}
	}
	return found
}

func TestOnlyItsWritersPublishToAStream(t *testing.T) {
	for _, s := range topology.Streams(office) {
		writers := strings.Split(s.Writer, ", ")
		for _, subject := range s.Subjects {
			for _, r := range topology.Roles() {
				found := overlaps(topology.Permissions(r, office).Publish, subject)
				if may := slices.Contains(writers, string(r)); may != (len(found) > 0) {
					t.Errorf("%s publishes to %s: %v, expected %t", r, subject, found, may)
				}
			}
		}
	}
}

func TestNobodyBuriesInAnothersName(t *testing.T) {
	for _, a := range topology.Roles() {
		for _, b := range topology.Roles() {
			if found := overlaps(topology.Permissions(a, office).Publish, topology.DeadLetter(string(b), "*")); a != b && len(found) > 0 {
				t.Errorf("%s buries as %s: %v", a, b, found)
			}
		}
	}
}

func TestNobodyHearsWhatIsForAnother(t *testing.T) {
	for _, a := range topology.Roles() {
		for _, b := range topology.Roles() {
			found := overlaps(topology.Permissions(a, office).Subscribe, topology.InboxPrefix(b)+".>")
			if (a == b) != (len(found) > 0) {
				t.Errorf("%s hears %s: %v", a, b, found)
			}
		}
	}
}

// What is stored stays, whoever is broken into.
func TestNobodyTakesAwayWhatIsStored(t *testing.T) {
	for _, verb := range []string{"UPDATE", "DELETE", "PURGE", "MSG.DELETE", "RESTORE", "SNAPSHOT", "PEER.REMOVE"} {
		for _, r := range topology.Roles() {
			if found := overlaps(topology.Permissions(r, office).Publish, "$JS.API.STREAM."+verb+".>"); len(found) > 0 {
				t.Errorf("%s may %s: %v", r, verb, found)
			}
		}
	}
}

func TestNothingIsListedTwice(t *testing.T) {
	for _, r := range topology.Roles() {
		p := topology.Permissions(r, office)
		for _, list := range [][]string{p.Publish, p.Subscribe} {
			sorted := slices.Sorted(slices.Values(list))
			if len(slices.Compact(slices.Clone(sorted))) != len(sorted) {
				t.Errorf("%s: %v", r, sorted)
			}
		}
		if len(p.Publish) == 0 || len(p.Subscribe) == 0 {
			t.Errorf("%s may nothing", r)
		}
	}
	if p := topology.Permissions("somebody", office); len(p.Publish) > 0 || len(p.Subscribe) != 1 {
		t.Errorf("somebody may %v", p)
	}
}
