package topology_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

const guid = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"

// The hashes are those of the definition of FNV-1a; n is large enough to show
// nearly all of their bits.
func TestPartitionIsFNV1a(t *testing.T) {
	const n = 1<<31 - 1
	for key, hash := range map[string]uint32{"": 0x811c9dc5, "a": 0xe40c292c, "b": 0xe70c2de5, "foobar": 0xbf9cf968} {
		if got, want := topology.Partition(key, n), int(hash%n); got != want {
			t.Errorf("%q: %#x, want %#x", key, got, want)
		}
		for small := 1; small <= topology.MaxPartitions; small++ {
			if got, want := topology.Partition(key, small), int(hash%uint32(small)); got != want {
				t.Errorf("%q of %d: %d, want %d", key, small, got, want)
			}
		}
	}
}

// Vectors of keys as they are, so that a changed hash or a changed key cannot
// go unseen: it would move calls that are under way.
func TestPartitionOfKeys(t *testing.T) {
	for key, want := range map[string][3]int{ // of 4, 8 and 64
		guid:                               {2, 2, 26},
		"none":                             {3, 3, 27},
		topology.KeyToken("+447700900123"): {3, 3, 3},
	} {
		got := [3]int{topology.Partition(key, 4), topology.Partition(key, 8), topology.Partition(key, 64)}
		if got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

func TestPartitionsGetEqualShares(t *testing.T) {
	const keys = 100_000
	ids := make([]string, keys)
	for i := range ids {
		h := sha256.Sum256([]byte(strconv.Itoa(i)))
		ids[i] = fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
	}
	for _, n := range []int{1, 2, 3, 4, 7, 8, 16, 64} {
		counts := make([]int, n)
		for _, id := range ids {
			counts[topology.Partition(id, n)]++
		}
		for p, got := range counts {
			if share := keys / n; got < share*85/100 || got > share*115/100 {
				t.Errorf("partition %d of %d has %d keys of %d", p, n, got, keys)
			}
		}
	}
}

func TestKeyToken(t *testing.T) {
	for in, want := range map[string]string{
		guid: guid, strings.ToUpper(guid): guid, " " + guid + "\r\n": guid, "": "none", " \t": "none",
		"00000000-0000-0000-0000-000000000000": "00000000-0000-0000-0000-000000000000",
		"+447700900123":                        "x" + sum("+447700900123"), " Jane@Agency.example": "x" + sum("jane@agency.example"),
		"{" + guid + "}": "x" + sum("{"+guid+"}"), guid + "0": "x" + sum(guid+"0"), guid[:35] + "g": "x" + sum(guid[:35]+"g"),
		strings.ReplaceAll(guid, "-", ""): "x" + sum(strings.ReplaceAll(guid, "-", "")), strings.ReplaceAll(guid, "-", "0"): "x" + sum(strings.ReplaceAll(guid, "-", "0")),
		"*": "x" + sum("*"), ">": "x" + sum(">"), "a.b": "x" + sum("a.b"), "none": "x" + sum("none"),
	} {
		if got := topology.KeyToken(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", h[:8])
}

func TestNamesInSubjects(t *testing.T) {
	for in, want := range map[string]string{
		"": "none", "ingest-0": "ingest-0", "SBOX": "SBOX", "a_b": "a_b", "123456": "123456",
		"1234567": "x" + sum("1234567"), "0770-0900123": "x" + sum("0770-0900123"), "pod-1234567": "pod-1234567",
		"a.b": "x" + sum("a.b"), "a b": "x" + sum("a b"), "*": "x" + sum("*"), "jané": "x" + sum("jané"), "jane@agency.example": "x" + sum("jane@agency.example"),
		strings.Repeat("n", 64): strings.Repeat("n", 64), strings.Repeat("n", 65): "x" + sum(strings.Repeat("n", 65)),
	} {
		if got := topology.Feed(in, "opened"); got != "feed."+want+".opened" {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := topology.Raw(3, "", "", "none"); got != "rte.3.none.Unknown.none" {
		t.Errorf("a raw event without anything: %s", got)
	}
}

// constructed are the subjects that services make of what others send them.
func constructed(partition int, a, b string) map[string][]string {
	out := map[string][]string{
		topology.RTE: {topology.Raw(partition, a, b, topology.KeyToken(a)), topology.Raw(partition, b, a, topology.KeyToken(b))},
		topology.CallLog(partition): {
			topology.CallLogPrefix(partition) + ".snap", topology.CallLogPrefix(partition) + ".snap.1." + strconv.Itoa(partition),
		},
		topology.Deliveries:  {topology.DeliveryLogPrefix + ".snap", topology.DeliveryLogPrefix + ".snap.0." + strconv.Itoa(partition)},
		topology.DeadLetters: {topology.DeadLetter("ingest", "too-large"), topology.DeadLetter("deliver", "rejected")},
	}
	out[""] = []string{topology.Heard(a), topology.Heard(b), topology.Redrive}
	add := func(stream, subject string) { out[stream] = append(out[stream], subject) }
	for _, kind := range event.FeedTypes() {
		add(topology.RTE, topology.Feed(a, string(kind)))
	}
	for _, kind := range event.CallTypes() {
		add(topology.CallLog(partition), topology.CallEvent(partition, a, string(kind), b))
	}
	for _, kind := range event.OutcomeTypes() {
		add(topology.Deliveries, topology.Delivery(a, b, string(kind), a))
	}
	return out
}

var odd = []string{
	"", guid, strings.ToUpper(guid), "+447700900123", "07700 900123", "447700900123", "Jane Doe", "jane@agency.example", "JAS", "none",
	"*", ">", "a.b", ".", "..", " ", "\x00", "\r\n", "\xff", "é", "x0123456789abcdef", strings.Repeat("n", 300), "0-0-0", "$JS.API.>",
}

func FuzzSubjects(f *testing.F) {
	for i, a := range odd {
		for _, b := range odd {
			f.Add(i, a, b)
		}
	}
	const partitions = 3
	streams := topology.Streams(topology.Layout{Partitions: partitions, Replicas: 1})
	f.Fuzz(func(t *testing.T, number int, a, b string) {
		partition := int(uint(number) % partitions)
		for stream, subjects := range constructed(partition, a, b) {
			for _, subject := range subjects {
				if got := takers(streams, subject); !slices.Equal(got, []string{stream}) {
					t.Errorf("%q is taken by %q, want %q once", subject, got, stream)
				}
				checkWords(t, subject, a, b)
			}
		}
	})
}

// takers names a stream once for every subject of it that matches; a family of
// subjects that no stream takes has no name.
func takers(streams []topology.Stream, subject string) (out []string) {
	for _, p := range topology.Plains() {
		if matches(p.Subject, subject) {
			out = append(out, "")
		}
	}
	for _, s := range streams {
		for _, filter := range s.Subjects {
			if matches(filter, subject) {
				out = append(out, s.Name)
			}
		}
	}
	return out
}

// checkWords checks that a subject is one that NATS takes, and that no word of
// it is a number, an address or a name with spaces that went in.
func checkWords(t *testing.T, subject string, private ...string) {
	t.Helper()
	for word := range strings.SplitSeq(subject, ".") {
		if word == "" || len(word) > 64 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%q has the word %q", subject, word)
		}
		if len(word) >= 7 && strings.Trim(word, "0123456789") == "" {
			t.Errorf("%q shows a number: %s", subject, word)
		}
	}
	for _, p := range private {
		if strings.ContainsAny(p, "@+ ") && len(p) > 3 && strings.Contains(subject, p) {
			t.Errorf("%q shows %q", subject, p)
		}
	}
}

func FuzzKeyToken(f *testing.F) {
	for _, s := range odd {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := topology.KeyToken(id)
		hashed := len(got) == 17 && got[0] == 'x' && strings.Trim(got[1:], "0123456789abcdef") == ""
		same := len(got) == 36 && got == strings.ToLower(strings.TrimSpace(id)) && strings.Trim(got, "0123456789abcdef-") == ""
		if got != "none" && !hashed && !same {
			t.Errorf("%q becomes %q", id, got)
		}
		if again := topology.KeyToken(" " + capitals(id) + "\n"); again != got {
			t.Errorf("%q becomes %q, in capitals %q", id, got, again)
		}
	})
}

func TestFilters(t *testing.T) {
	for p := range topology.MaxPartitions {
		for q := range topology.MaxPartitions {
			if got := matches(topology.RawOf(p), topology.Raw(q, guid, "UserStatus", guid)); got != (p == q) {
				t.Errorf("%s selects partition %d: %t", topology.RawOf(p), q, got)
			}
		}
		if feed := topology.Feed("a", "opened"); matches(topology.RawOf(p), feed) || !matches(topology.FeedAll, feed) {
			t.Errorf("%s is selected by %s, or not by %s", feed, topology.RawOf(p), topology.FeedAll)
		}
	}
}

// capitals raises ASCII letters only: others may not come back when lowered.
func capitals(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}
