package topology_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/topology"
)

// matches is NATS' own rule: * is one word, > is one or more at the end.
func matches(filter, subject string) bool {
	words := strings.Split(subject, ".")
	for i, want := range strings.Split(filter, ".") {
		switch {
		case i >= len(words):
			return false
		case want == ">":
			return true
		case want != "*" && want != words[i]:
			return false
		}
	}
	return strings.Count(filter, ".") == strings.Count(subject, ".")
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{"*.b", "a.b", true},
		{"a.b", "a.c", false},
		{"a.b.c", "a.b", false},
		{"a", "a.b", false},
	} {
		if matches(c.filter, c.subject) != c.want {
			t.Errorf("%s matches %s: %t", c.filter, c.subject, !c.want)
		}
	}
}

// overlap tells whether some subject is matched by both.
func overlap(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		switch {
		case x[i] == ">" || y[i] == ">":
			return true
		case x[i] != y[i] && x[i] != "*" && y[i] != "*":
			return false
		}
	}
	return len(x) == len(y)
}

func eachLayout(t *testing.T, check func(*testing.T, topology.Layout, []topology.Stream)) {
	t.Helper()
	for n := 1; n <= topology.MaxPartitions; n++ {
		for _, replicas := range []int{1, 3, 5} {
			l := topology.Layout{Partitions: n, Replicas: replicas}
			check(t, l, topology.Streams(l))
		}
	}
}

func TestStreamsOfEveryLayout(t *testing.T) {
	eachLayout(t, func(t *testing.T, l topology.Layout, streams []topology.Stream) {
		if want := l.Partitions + 4; len(streams) != want {
			t.Fatalf("%+v: %d streams, want %d", l, len(streams), want)
		}
		seen := map[string]bool{}
		for _, s := range streams {
			if seen[s.Name] || s.Description == "" || s.Replicas != l.Replicas || s.MaxAge <= 0 || s.Duplicates <= 0 || s.Duplicates > s.MaxAge {
				t.Errorf("%+v: %+v", l, s)
			}
			if got := s.Metadata[topology.MetaPartitions]; got != strconv.Itoa(l.Partitions) {
				t.Errorf("%+v: %s states %s partitions", l, s.Name, got)
			}
			if (s.Writer == "") == (len(s.Sources) == 0) || (len(s.Subjects) == 0) == (len(s.Sources) == 0) {
				t.Errorf("%+v: %s is written by %q to %q and from %d sources", l, s.Name, s.Writer, s.Subjects, len(s.Sources))
			}
			for _, source := range s.Sources {
				if !seen[source.Stream] {
					t.Errorf("%+v: %s is to be created before its source %s", l, s.Name, source.Stream)
				}
			}
			seen[s.Name] = true
		}
	})
}

func TestNoTwoStreamsTakeASubject(t *testing.T) {
	type taken struct{ stream, subject string }
	var all []taken
	for _, s := range topology.Streams(topology.Layout{Partitions: topology.MaxPartitions, Replicas: 1}) {
		for _, subject := range s.Subjects {
			for _, other := range all {
				if overlap(subject, other.subject) {
					t.Errorf("%s of %s and %s of %s overlap", subject, s.Name, other.subject, other.stream)
				}
			}
			all = append(all, taken{s.Name, subject})
		}
	}
	for _, p := range topology.Plains() {
		for _, other := range all {
			if overlap(p.Subject, other.subject) {
				t.Errorf("%s is to be kept by no stream and overlaps %s of %s", p.Subject, other.subject, other.stream)
			}
		}
	}
}

func TestOnlyWhatCannotBeRebuiltIsProtected(t *testing.T) {
	for _, s := range topology.Streams(topology.Layout{Partitions: 2, Replicas: 1}) {
		if rte := s.Name == topology.RTE; s.DenyDelete != rte || s.DenyPurge != rte {
			t.Errorf("%s: deny delete %t, deny purge %t", s.Name, s.DenyDelete, s.DenyPurge)
		}
		if s.Rollup && s.DenyPurge {
			t.Errorf("%s: a snapshot cannot replace another where purging is denied", s.Name)
		}
		snapshots := slices.ContainsFunc(s.Subjects, func(subject string) bool { return strings.HasSuffix(subject, ".snap") })
		if s.Rollup != snapshots {
			t.Errorf("%s: rollup %t, subjects %q", s.Name, s.Rollup, s.Subjects)
		}
	}
}

func TestBuckets(t *testing.T) {
	buckets := topology.Buckets(topology.Layout{Partitions: 4, Replicas: 3})
	if len(buckets) != 2 {
		t.Fatalf("%+v", buckets)
	}
	for i, want := range []topology.Bucket{{Name: topology.Leases, MarkerTTL: 10 * time.Second}, {Name: topology.Negotiators}} {
		b := buckets[i]
		if b.Name != want.Name || b.MarkerTTL != want.MarkerTTL || b.Replicas != 3 || b.Writer == "" || b.Description == "" {
			t.Errorf("%+v", b)
		}
	}
}

// However many tokens there have been, the keys are few, and none is a customer's.
func TestTheKeysOfTokensAreFew(t *testing.T) {
	keys := map[string]bool{}
	for i := range 10_000 {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		keys[topology.TokenOwners(hex.EncodeToString(sum[:]))] = true
	}
	if len(keys) != 256 || keys[topology.NegotiatorList("token")] || keys[topology.NegotiatorMark("token")] {
		t.Errorf("%d keys", len(keys))
	}
}

// The events of a partition reach CALLS under their subjects there; its
// snapshots do not.
func TestCallsTakesTheEventsOfEveryLog(t *testing.T) {
	eachLayout(t, func(t *testing.T, l topology.Layout, streams []topology.Stream) {
		merged := streams[slices.IndexFunc(streams, func(s topology.Stream) bool { return s.Name == topology.Calls })]
		if len(merged.Sources) != l.Partitions {
			t.Fatalf("%+v: %d sources", l, len(merged.Sources))
		}
		for p, source := range merged.Sources {
			subject := topology.CallEvent(p, guid, "incoming", guid)
			if source.Stream != topology.CallLog(p) || !matches(source.From, subject) || matches(source.From, topology.CallLogPrefix(p)+".snap") {
				t.Errorf("%+v: source %+v of %s", l, source, subject)
			}
			words := strings.Split(subject, ".")
			to := strings.NewReplacer("{{wildcard(1)}}", words[3], "{{wildcard(2)}}", words[4], "{{wildcard(3)}}", words[5]).Replace(source.To)
			if want := "calls." + guid + ".incoming." + guid; to != want || !matches(merged.Republish, to) {
				t.Errorf("%s becomes %s, want %s, which %s tells plain subscribers", subject, to, want, merged.Republish)
			}
		}
	})
}
