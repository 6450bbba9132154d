package fold

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// A story has words such as "a:live@10/0": replica a says at second 10 that it
// is live and heard its hub at second 0. A number behind the kind is the epoch:
// "a:live2@…". The seconds at which a gap was seen are the end of it.
func gapsOf(t *testing.T, story string) string {
	t.Helper()
	second := func(s string) time.Time {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return start.Add(time.Duration(n * float64(time.Second)))
	}
	var c coverage
	var gaps []string
	for word := range strings.FieldsSeq(story) {
		instance, rest, _ := strings.Cut(word, ":")
		kind, times, _ := strings.Cut(rest, "@")
		at, heard, told := strings.Cut(times, "/")
		f := event.Feed{Instance: instance, Epoch: strings.TrimLeft(kind, "abcdefghijklmnopqrstuvwxyz"), Type: event.Heartbeat, At: second(at)}
		if told {
			f.HeardAt = second(heard)
		}
		f.Live = strings.HasPrefix(kind, "live")
		if strings.HasPrefix(kind, "closed") {
			f.Type = event.Closed
		}
		if c.gap(f) {
			gaps = append(gaps, at)
		}
		c = restored(t, c)
	}
	return strings.Join(gaps, " ")
}

// restored is what a snapshot keeps.
func restored(t *testing.T, c coverage) (again coverage) {
	t.Helper()
	b, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(b, &again)
	}
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// beats are the words of a replica from one second to another.
func beats(instance, kind string, from, to int, heard string) string {
	var all strings.Builder
	for s := from; s <= to; s++ {
		all.WriteString(" " + instance + ":" + kind + "@" + strconv.Itoa(s) + heard)
	}
	return all.String()
}

func TestCoverage(t *testing.T) {
	quiet := beats("a", "live", 0, 14, "/0") + beats("a", "live", 15, 29, "/15")
	for _, c := range []struct{ name, story, gaps string }{
		{"a quiet hub that pings is no gap", quiet + beats("a", "live", 30, 40, "/30"), ""},
		{"a silent hub is a gap as soon as its replica doubts", beats("a", "live", 0, 20, "/0") + " a:doubt@21/0", "21"},
		{
			"a connection that died unnoticed covers until it was heard",
			beats("a", "live", 0, 9, "/0") + " a:closed@0/0 a:live2@10/10 a:live2@11/10", "10",
		},
		{"a short break is none", beats("a", "live", 0, 9, "/8") + " a:closed@9/9 a:beat@10 a:live2@11/11", ""},
		{"a long one is", "a:live@0/0 a:closed@1/1 a:beat@2 a:beat@3 a:beat@4 a:beat@5 a:live2@6/6 a:live2@7/7", "5 6"},
		{"a crash is told by who comes next", "a:live@0/0 a:live@1/1 b:beat@6 b:live@7/7 b:live@8/8", "6 7"},
		{
			"another replica bridges the end of the first",
			"a:live@0/0 b:live@0/0" + beats("a", "live", 1, 9, "/0") + beats("b", "live", 1, 9, "/0") + " a:closed@0/0 b:live@10/10 a:live2@10.5/10.5", "",
		},
		{
			"a replica that seemed to bridge it and did not leaves a gap",
			"a:live@0/0 b:live@0/0 a:closed@0/0" + beats("b", "live", 1, 9, "/0") + " a:live2@10/10 b:live@10/0 a:live2@11/11 b:doubt@11.5/0 a:live2@12/12", "11.5",
		},
		{"events that do not tell when the hub was heard", "a:live@0 a:live@1 a:beat@2 a:beat@6 a:live@7 a:live@8", "6 7"},
		{"nobody ever listened", "a:beat@0 a:beat@100 a:live@200/200", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := gapsOf(t, c.story); got != c.gaps {
				t.Errorf("gaps seen at %q, want %q", got, c.gaps)
			}
		})
	}
}
