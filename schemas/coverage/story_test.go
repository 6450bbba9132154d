package coverage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func second(t testing.TB, s string) time.Time {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return start.Add(time.Duration(n * float64(time.Second)))
}

func seconds(at time.Time) string { return strconv.FormatFloat(at.Sub(start).Seconds(), 'f', -1, 64) }

// A story has words such as "a:live1@10/0": replica a says at second 10 that it
// is live on connection 1 and heard its hub at second 0; "/0^": which answers
// pings. The words are opened,
// answers (with ":x.s+,y.s-" behind it: what the hub said of events s of x and
// y; live too when there is a "!" behind it), live, doubt, beat (without a
// connection) and closed (with its reason behind another colon).
func feedOf(t testing.TB, word string) event.Feed {
	t.Helper()
	said := strings.SplitN(word, ":", 3)
	kind, times, _ := strings.Cut(said[1], "@")
	times, answers := strings.CutSuffix(times, "^")
	at, heard, told := strings.Cut(times, "/")
	verb := strings.TrimRight(kind, "0123456789")
	f := event.Feed{Instance: said[0], Epoch: kind[len(verb):], At: second(t, at), Answers: answers, Live: verb == "live"}
	f.Type = map[string]event.FeedType{"opened": event.Opened, "answers": event.Subscribed, "closed": event.Closed}[verb]
	switch {
	case told:
		f.HeardAt = second(t, heard)
	case f.Type != "":
		f.HeardAt = f.At
	}
	if f.Type == "" {
		f.Type = event.Heartbeat
	}
	switch f.Type {
	case event.Closed:
		f.Reason = said[2]
	case event.Subscribed:
		items, live := strings.CutSuffix(said[2], "!")
		f.Live = live
		for item := range strings.SplitSeq(items, ",") {
			entity, name, _ := strings.Cut(item[:len(item)-1], ".")
			s := event.Subscription{EntityID: entity, EventName: name, Subscribed: strings.HasSuffix(item, "+")}
			if !s.Subscribed {
				s.Message = "Unauthorized"
			}
			f.Subscriptions = append(f.Subscriptions, s)
		}
	}
	return f
}

// restored is what a snapshot keeps.
func restored(t testing.TB, l *Ledger) *Ledger {
	t.Helper()
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var again Ledger
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if c, err := json.Marshal(&again); err != nil || !bytes.Equal(b, c) {
		t.Fatalf("saved as\n%s\nand restored as\n%s (%v)", b, c, err)
	}
	return &again
}

// told folds a story, restored after every word.
func told(t testing.TB, story string) *Ledger {
	t.Helper()
	l := &Ledger{}
	for word := range strings.FieldsSeq(story) {
		l.Take(feedOf(t, word))
		l = restored(t, l)
	}
	return l
}

func text(gaps []Gap) string {
	var out []string
	for _, g := range gaps {
		open := ""
		if g.Open {
			open = "…"
		}
		out = append(out, fmt.Sprintf("%s %s-%s%s (%s)", g.Entity, seconds(g.From), seconds(g.Until), open, strings.Join(g.Why, ", ")))
	}
	return strings.Join(out, "; ")
}

// begun is a replica that holds events s and u of x and s of y.
func begun(name, epoch, at string) string {
	return fmt.Sprintf(" %[1]s:opened%[2]s@%[3]s %[1]s:answers%[2]s@%[3]s:x.s+,x.u+,y.s+!", name, epoch, at)
}

// beats are the words of a replica from one second to another.
func beats(instance, kind string, from, to int, heard string) string {
	var all strings.Builder
	for s := from; s <= to; s++ {
		all.WriteString(" " + instance + ":" + kind + "@" + strconv.Itoa(s) + heard)
	}
	return all.String()
}

func TestGaps(t *testing.T) {
	for _, c := range []struct{ name, story, want string }{
		{"no event at all", "", ""},
		{"nobody connected", "a:beat@0 a:beat@9", "* 0-9… (a: not connected)"},
		{"the hub refused everything", "a:beat@0 a:opened1@1 a:answers1@1:x.s-,y.s- a:doubt1@2/1", "* 0-2… (a: nothing subscribed)"},
		{"the start is no gap", "a:beat@0" + begun("a", "1", "1") + " a:live1@3/2", ""},
		{"a long one is", "a:beat@0 a:beat@1" + begun("a", "1", "2") + " a:live1@3/2", "* 0-2 (a: nothing subscribed yet)"},
		{"nothing is said of a short while", begun("a", "1", "0") + " a:live1@1/1 b:beat@4", ""},
		{
			"a replica that falls silent counts to its last word", begun("a", "1", "0") + " a:live1@1/0 b:beat@4.5",
			"* 1-4.5… (a: nothing heard of the replica); x 1-4.5… (a: nothing heard of the replica); y 1-4.5… (a: nothing heard of the replica)",
		},
		{
			"one that ended without a word too", begun("a", "1", "0") + " a:live1@1/0 a:beat@9" + begun("a", "2", "9.5"),
			"* 1-9.5 (a: ended without a word); x 1-9.5 (a: ended without a word); y 1-9.5 (a: ended without a word)",
		},
		{
			"one whose hub answers pings too", begun("a", "1", "0") + " a:live1@1/0.5^ a:live1@2/1.5^ b:beat@9",
			"* 2-9… (a: nothing heard of the replica); x 2-9… (a: nothing heard of the replica); y 2-9… (a: nothing heard of the replica)",
		},
		{
			"but not beyond the next ping that its hub did not answer", begun("a", "1", "0") + " a:live1@1/0.5^ a:live1@2/0.5^ a:live1@3/0.5^" + begun("a", "2", "9"),
			"* 1.5-9 (a: ended without a word); x 1.5-9 (a: ended without a word); y 1.5-9 (a: ended without a word)",
		},
		{
			"nor while it still subscribes", "a:opened1@0 a:answers1@0:x.s+ a:doubt1@2/0^ a:doubt1@3.5/0^ a:doubt1@4/4^ a:doubt1@6/4^ a:answers1@6.5/4^:x.u+ a:doubt1@7.5/4^",
			"* 4-7.5… (a: nothing heard of the hub); x 4-7.5… (a: nothing heard of the hub)",
		},
		{
			"one that was paused heard on", begun("a", "1", "0") + " a:live1@1/1 b:beat@30 a:live1@31/31", "",
		},
		{
			"a stated end is exact", begun("a", "1", "0") + " a:live1@1/0.5 a:closed1@1.5:lost:_EOF" + begun("a", "2", "1.75"),
			"* 1.5-1.75 (a: lost:_EOF); x 1.5-1.75 (a: lost:_EOF); y 1.5-1.75 (a: lost:_EOF)",
		},
		{"another replica covers it", begun("a", "1", "0") + begun("b", "7", "0") + " a:closed1@1:lost b:live7@2/0 b:live7@3/0" + begun("a", "2", "4"), ""},
		{
			"what comes back later is uncovered for longer",
			begun("a", "1", "0") + " a:closed1@1:lost a:opened2@2 a:answers2@2.5:x.s+ a:answers2@3:x.u+,y.s+!",
			"* 1-2.5 (a: lost); x 1-3 (a: lost); y 1-3 (a: lost)",
		},
		{
			"what comes back refused was missing until then", begun("a", "1", "0") + " a:closed1@1:lost a:opened2@2 a:answers2@3:x.s+,x.u-,y.s-!",
			"* 1-3 (a: lost); x 1-3 (a: lost); y 1-3 (a: lost)",
		},
		{
			"what one may hear and the other not is missing without the one", begun("a", "1", "0") + " b:opened7@0 b:answers7@0:x.s+,x.u-,y.s+! a:closed1@5:lost b:live7@6/6",
			"x 5-6… (a: lost)",
		},
		{
			"what a replica gave up on one of two", begun("a", "1", "0") + begun("b", "7", "0") + " a:answers1@2:y.s-! b:live7@3/3 b:closed7@4:lost a:live1@5/5",
			"y 4-5… (b: lost)",
		},
		{"what is unsubscribed is not missing", begun("a", "1", "0") + " a:answers1@2:y.s-! a:live1@3/3", ""},
		{
			"what a new connection does not name is not missing from then on", begun("a", "1", "0") + " a:closed1@1:stopped a:opened2@2 a:answers2@2:x.s+ a:live2@3/3 a:live2@4/4",
			"* 1-2 (a: stopped); x 1-3 (a: stopped); y 1-3 (a: stopped)",
		},
		{
			"a replica that is late fills in", begun("a", "1", "0") + begun("b", "7", "0") + " a:live1@1/1 b:live7@1/1 a:closed1@2:lost" + begun("a", "2", "9") +
				" a:live2@10/10 b:live7@2/2 b:live7@3/3 b:closed7@4:lost" + begun("b", "8", "6") + " b:live8@9/9",
			"* 4-6 (a: lost, b: lost); x 4-6 (a: lost, b: lost); y 4-6 (a: lost, b: lost)",
		},
		{
			"repeated words change nothing", begun("a", "1", "0") + " a:closed1@1:lost" + begun("a", "2", "2") + " a:live2@3/3" + begun("a", "1", "0") +
				" a:closed1@1:lost" + begun("a", "2", "2") + " a:live2@3/3 a:live2@4/4",
			"* 1-2 (a: lost); x 1-2 (a: lost); y 1-2 (a: lost)",
		},
		{
			"an outage of a weekend lasts as long as it lasts", begun("a", "1", "0") + " a:closed1@1:lost b:beat@200000" + begun("b", "7", "200001") + " b:live7@200002/200002",
			"* 1-200001 (a: lost); x 1-200001 (a: lost); y 1-200001 (a: lost)",
		},
		{
			"what only a replica wanted that is long gone", begun("a", "1", "0") + " a:closed1@1:stopped b:opened7@2 b:answers7@2:x.s+,x.u+! b:live7@80000/80000 b:live7@86500/86500",
			"* 1-2 (a: stopped); x 1-2 (a: stopped); y 1-86500 (a: stopped)",
		},
		{"a stream that begins in the middle", "a:live1@0/0 a:answers1@1:y.s+! a:live1@2/2", ""},
		{"and its end", "a:live1@0/0 a:closed1@1:lost a:beat@2", "* 1-2… (a: lost)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(told(t, c.story).Gaps(Window{})); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Of what the replicas say of one connection each, whatever it holds.
func TestQuietHub(t *testing.T) {
	quiet := beats("a", "live", 0, 14, "/0") + beats("a", "live", 15, 29, "/15")
	for _, c := range []struct{ name, story, gaps, want string }{
		{"a quiet hub that pings is no gap", quiet + beats("a", "live", 30, 40, "/30"), "", ""},
		{"a silent hub is a gap as soon as its replica doubts", beats("a", "live", 0, 20, "/0") + " a:doubt@21/0", "21", "0-21…"},
		{"a silent hub that speaks again was none", beats("a", "live", 0, 20, "/0") + " a:doubt@21/0 a:live@22/21.5", "21", ""},
		{
			"a connection that died unnoticed covers until it was heard",
			beats("a", "live", 0, 9, "/0") + " a:closed@0/0:silent a:live2@10/10 a:live2@11/10", "0 10", "0-10",
		},
		{"a short break is one too", beats("a", "live", 0, 9, "/8") + " a:closed@9/9:lost a:beat@10 a:live2@11/11", "10 11", "9-11"},
		{"a long one is", "a:live@0/0 a:closed@1/1:lost a:beat@2 a:beat@3 a:beat@4 a:beat@5 a:live2@6/6 a:live2@7/7", "2 3 4 5 6", "1-6"},
		{"a crash is told by who comes next", "a:live@0/0 a:live@1/1 b:beat@6 b:live@7/7 b:live@8/8", "6 7", "1-7"},
		{
			"another replica bridges the end of the first",
			"a:live@0/0 b:live@0/0" + beats("a", "live", 1, 9, "/0") + beats("b", "live", 1, 9, "/0") + " a:closed@0/0:lost b:live@10/10 a:live2@10.5/10.5", "", "",
		},
		{
			"a replica that seemed to bridge it and did not leaves a gap",
			"a:live@0/0 b:live@0/0 a:closed@0/0:lost" + beats("b", "live", 1, 9, "/0") + " a:live2@10/10 b:live@10/0 a:live2@11/11 b:doubt@11.5/0 a:live2@12/12", "11.5", "0-10",
		},
		{"events that do not tell when the hub was heard", "a:live@0 a:live@1 a:beat@2 a:beat@6 a:live@7 a:live@8", "2 6 7", "1-7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &Ledger{}
			var gaps []string // the seconds at which more was seen to be missing
			for word := range strings.FieldsSeq(c.story) {
				before := l.Gaps(Window{})
				l.Take(feedOf(t, word))
				l = restored(t, l)
				if length(l.Gaps(Window{})) > length(before) {
					at, _, _ := strings.Cut(word[strings.Index(word, "@")+1:], "/")
					gaps = append(gaps, at)
				}
			}
			if got := strings.Join(gaps, " "); got != c.gaps {
				t.Errorf("gaps seen at %q, want %q", got, c.gaps)
			}
			want := ""
			if c.want != "" {
				want = "* " + c.want
			}
			if got, _, _ := strings.Cut(text(l.Gaps(Window{})), " ("); got != want {
				t.Errorf("gaps %q, want %q", got, want)
			}
		})
	}
}

func length(gaps []Gap) (all time.Duration) {
	for _, g := range gaps {
		all += g.Until.Sub(g.From)
	}
	return all
}

func TestRefusedToEverybody(t *testing.T) {
	l := told(t, "a:opened1@0 a:answers1@0:x.s+,x.u-,y.s-! b:opened7@1 b:answers7@1:x.s+,x.u-,y.s+! a:live1@2/2 b:live7@2/2")
	if got := fmt.Sprint(l.Refused()); got != "[{x u [Unauthorized]}]" || len(l.Gaps(Window{})) > 0 || l.Wanted() != 2 {
		t.Errorf("refused %s, %d wanted, gaps %s", got, l.Wanted(), text(l.Gaps(Window{})))
	}
	l = told(t, "a:opened1@0 a:answers1@0:x.s+,y.s-! a:closed1@1:lost a:opened2@2 a:answers2@2:x.s+!")
	if l.Wants("y") || !l.Wants("x") || !l.Knows("y") {
		t.Error("only x is wanted")
	}
	if got := l.Refused(); len(got) > 0 {
		t.Errorf("what is wanted no more is refused: %v", got)
	}
}

func TestSettled(t *testing.T) {
	for _, c := range []struct{ name, story, want string }{
		{"as far as the hub was heard", begun("a", "1", "0") + " a:live1@9/5", "5"},
		{"as far as the slowest replica spoke", begun("a", "1", "0") + begun("b", "7", "0") + " a:live1@9/9 b:live7@3/2", "2"},
		{"a replica without a connection counts", begun("a", "1", "0") + " b:beat@4 a:live1@9/9", "4"},
		{"one that has stopped does not", begun("a", "1", "0") + begun("b", "7", "0") + " b:closed7@1:stopped a:live1@9/9", "9"},
		{"one that lost its connection does", begun("a", "1", "0") + begun("b", "7", "0") + " b:live7@2/2 b:closed7@1:lost a:live1@9/9", "2"},
		{"one that is long gone does not", begun("a", "1", "0") + begun("b", "7", "0") + " a:live1@86401/86401", "86401"},
	} {
		if got := seconds(told(t, c.story).Settled()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if l := (&Ledger{}); !l.Settled().IsZero() || !l.Newest().IsZero() || !l.Covered(Everything, start, start) || l.Gaps(Window{}) != nil {
		t.Error("nobody said anything, and it is known all the same")
	}
}

func TestQuestions(t *testing.T) {
	l := told(t, begun("a", "1", "0")+" a:closed1@10:lost"+begun("a", "2", "20")+" a:live2@30/30")
	for _, c := range []struct {
		name string
		got  string
		want string
	}{
		{"cut to a window", text(l.GapsOf("X", Window{From: second(t, "12"), Until: second(t, "15")})), "x 12-15 (a: lost)"},
		{"outside", text(l.GapsOf("x", Window{From: second(t, "20")})), ""},
		{"long after the last word", text(l.GapsOf("x", Window{From: second(t, "20"), Now: second(t, "99")})), "x 30-99… (a: nothing heard of the replica)"},
		{"of nobody's", text(l.GapsOf("z", Window{})), ""},
		{"of all", text(Uncovered(func(yield func(event.Feed) bool) {
			for word := range strings.FieldsSeq(begun("a", "1", "0") + " a:closed1@1:lost a:beat@2") {
				if !yield(feedOf(t, word)) {
					return
				}
			}
		})), "* 1-2… (a: lost); x 1-2… (a: lost); y 1-2… (a: lost)"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
	for _, c := range []struct {
		from, until string
		want        bool
	}{{"0", "10", false}, {"0", "9.9", true}, {"12", "12", false}, {"20", "40", true}, {"19.9", "40", false}} {
		if got := l.Covered("X", second(t, c.from), second(t, c.until)); got != c.want {
			t.Errorf("covered from %s until %s: %v", c.from, c.until, got)
		}
	}
	if !l.Knows("X") || l.Knows("z") || !l.Wants("X") || l.Wants("z") || len(l.Replicas()) != 1 || !l.First().Equal(start) {
		t.Error("who is known")
	}
}

func TestTimesThatCannotBeAreNotBelieved(t *testing.T) {
	l := &Ledger{}
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		l.Take(event.Feed{Instance: "a", Epoch: "1", Type: event.Heartbeat, Live: true, At: at})
	}
	if !l.Newest().IsZero() || len(l.Replicas()) > 0 {
		t.Error("taken")
	}
}

// What a replica has missed while it listened changes nothing, even in an epoch
// of which nothing else is known.
func TestAuditsTellNothingOfCoverage(t *testing.T) {
	l := &Ledger{}
	for word := range strings.FieldsSeq(begun("a", "1", "0") + " a:beat@2") {
		l.Take(feedOf(t, word))
	}
	before, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, instance := range []string{"a", "b"} {
		at := second(t, "7")
		l.Take(event.Feed{Instance: instance, Epoch: "2", Type: event.Audit, Live: true, At: at, HeardAt: at, Unheard: 3})
	}
	if after, err := json.Marshal(l); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%s\nbecame\n%s (%v)", before, after, err)
	}
}
