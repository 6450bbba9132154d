package coverage

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/schemas/event"
)

// A naive model: it has the whole stories of the replicas before it and looks
// at every second of them anew.

// timeline is what one replica went through, in order.
type timeline []event.Feed

var items = [][2]string{{"x", "s"}, {"x", "u"}, {"y", "s"}, {"z", "s"}}

// live draws a timeline. It begins with a heartbeat at second 0.
func live(t *rapid.T, name string) timeline {
	at, heard, epoch := 0, 0, 0
	held := map[int]bool{}
	connected, complete, answering := false, false, false
	var line timeline
	say := func(kind event.FeedType, f event.Feed) {
		f.Instance, f.Type, f.At = name, kind, start.Add(time.Duration(at)*time.Second)
		if connected {
			f.Epoch, f.HeardAt, f.Answers = fmt.Sprint(name, epoch), start.Add(time.Duration(heard)*time.Second), answering
		}
		line = append(line, f)
	}
	answer := func(always bool) {
		var f event.Feed
		for i, item := range items {
			yes := rapid.Bool().Draw(t, "subscribed")
			if !always && rapid.Bool().Draw(t, "left out") || held[i] && yes {
				continue
			}
			held[i] = yes
			f.Subscriptions = append(f.Subscriptions, event.Subscription{EntityID: item[0], EventName: item[1], Subscribed: yes, Message: map[bool]string{false: "no"}[yes]})
		}
		holds := slices.Contains(slices.Collect(maps.Values(held)), true)
		complete = (complete || rapid.Bool().Draw(t, "complete")) && holds
		f.Live = complete
		say(event.Subscribed, f)
	}
	say(event.Heartbeat, event.Feed{})
	for range rapid.IntRange(5, 25).Draw(t, "words") {
		at += rapid.IntRange(1, 4).Draw(t, "later")
		if connected && rapid.IntRange(0, 3).Draw(t, "hub speaks") > 0 {
			heard = rapid.IntRange(heard, at).Draw(t, "heard")
			answering = answering || rapid.Bool().Draw(t, "answers a ping")
		}
		switch rapid.IntRange(0, 7).Draw(t, "what") {
		case 0, 1, 2:
			say(event.Heartbeat, event.Feed{Live: complete && rapid.IntRange(0, 5).Draw(t, "sure") > 0})
		case 3:
			if connected {
				heard = at
				answer(false)
			}
		case 4: // an end that nobody tells
			connected, complete, held = false, false, map[int]bool{}
			if rapid.Bool().Draw(t, "beats first") {
				say(event.Heartbeat, event.Feed{})
			}
		case 5:
			if connected {
				was := at
				at = heard
				say(event.Closed, event.Feed{Reason: "lost"})
				at, connected, complete, held = was, false, false, map[int]bool{}
			}
		default:
			if !connected {
				epoch, heard, connected, answering = epoch+1, at, true, false
				say(event.Opened, event.Feed{})
				answer(true)
			}
		}
	}
	return line
}

// claim is what one replica knew of an item from one word on.
type claim struct {
	from, until, reach int // until: the next claim; reach: the end of its connection
	held               bool
}

// claims reads a timeline for one item. now is the newest word of all.
func (line timeline) claims(item [2]string, now int) (all []claim) {
	sec := func(t time.Time) int { return int(t.Sub(start) / time.Second) }
	for i, f := range line {
		if f.Type == event.Closed {
			continue
		}
		named, yes, heldBefore := false, false, false
		for _, s := range f.Subscriptions {
			if s.EntityID == item[0] && s.EventName == item[1] {
				named, yes = true, s.Subscribed
			}
		}
		firstLive := f.Live
		for _, g := range line[:i] {
			if g.Epoch != f.Epoch || f.Epoch == "" {
				continue
			}
			firstLive = firstLive && !g.Live
			for _, s := range g.Subscriptions {
				heldBefore = heldBefore || s.EntityID == item[0] && s.EventName == item[1]
			}
		}
		if !named && (!firstLive || heldBefore) {
			continue
		}
		if n := len(all); n > 0 {
			all[n-1].until = sec(f.At)
		}
		all = append(all, claim{from: sec(f.At), until: 1 << 30, reach: line.reach(f.Epoch, now), held: named && yes})
	}
	return all
}

// reach is how far a connection got.
func (line timeline) reach(epoch string, now int) int {
	sec := func(t time.Time) int { return int(t.Sub(start) / time.Second) }
	heard, said, stands, live, answers, last := 0, 0, false, false, false, false
	for i, f := range line {
		if f.Epoch != epoch {
			continue
		}
		heard = max(heard, sec(f.HeardAt))
		if f.Type == event.Closed {
			return heard
		}
		said, live = sec(f.At), live || f.Live
		answers = f.Answers
		stands = f.Live || !live && said-heard <= map[bool]int{false: 20, true: 3}[answers]
		last = i == len(line)-1
	}
	switch {
	case !stands:
		return heard
	case last && now-said <= 3:
		return 1 << 30
	case answers:
		return min(said, heard+1)
	default:
		return said
	}
}

// naive finds the uncovered seconds of every entity.
func naive(lines []timeline) map[string][]bool {
	now := 0
	for _, line := range lines {
		for _, f := range line {
			now = max(now, int(f.At.Sub(start)/time.Second))
		}
	}
	out := map[string][]bool{}
	for _, item := range items {
		if out[item[0]] == nil {
			out[item[0]] = make([]bool, now)
		}
		var all []claim
		for _, line := range lines {
			all = append(all, line.claims(item, now)...)
		}
		for s := range now {
			wanted, covered := false, false
			for _, c := range all {
				there := c.held && c.from <= s && s < c.until
				wanted = wanted || there
				covered = covered || there && s < c.reach
			}
			out[item[0]][s] = out[item[0]][s] || wanted && !covered
		}
	}
	return out
}

func secondsOf(gaps []Gap, entity string, n int) []bool {
	out := make([]bool, n)
	for _, g := range gaps {
		for s := int(g.From.Sub(start) / time.Second); g.Entity == entity && s < int(g.Until.Sub(start)/time.Second); s++ {
			out[s] = true
		}
	}
	return out
}

// arrival merges timelines as a stream may have them: each in its own order,
// some late, some parts again.
func arrival(t *rapid.T, lines []timeline) (stream []event.Feed) {
	next := make([]int, len(lines))
	for r, line := range lines {
		stream, next[r] = append(stream, line[0]), 1
	}
	for {
		var open []int
		for r, line := range lines {
			if next[r] < len(line) {
				open = append(open, r)
			}
		}
		if len(open) == 0 {
			return stream
		}
		r := rapid.SampledFrom(open).Draw(t, "who")
		n := rapid.IntRange(1, len(lines[r])-next[r]).Draw(t, "how many")
		stream = append(stream, lines[r][next[r]:next[r]+n]...)
		next[r] += n
		if again := rapid.IntRange(0, next[r]).Draw(t, "again from"); rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			stream = append(stream, lines[r][again:next[r]]...)
		}
	}
}

func TestAsTheNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lines []timeline
		for r := range rapid.IntRange(1, 3).Draw(t, "replicas") {
			lines = append(lines, live(t, string(rune('a'+r))))
		}
		l := &Ledger{}
		type state struct {
			until time.Time
			gaps  []Gap
		}
		var settled []state
		for _, f := range arrival(t, lines) {
			l.Take(f)
			l = saved(t, l)
			settled = append(settled, state{l.Settled(), l.Gaps(Window{Until: l.Settled()})})
		}
		want := naive(lines)
		for entity, missing := range want {
			if got := secondsOf(l.Gaps(Window{}), entity, len(missing)); !slices.Equal(got, missing) {
				t.Fatalf("%s: uncovered\n%v, want\n%v\n%s\n%v", entity, got, missing, text(l.Gaps(Window{})), lines)
			}
		}
		for _, s := range settled {
			if s.until.After(start.Add(heartbeat)) && spans(s.gaps) != spans(l.Gaps(Window{Until: s.until})) {
				t.Fatalf("settled until %s:\n%s\nbut then\n%s", seconds(s.until), text(s.gaps), text(l.Gaps(Window{Until: s.until})))
			}
		}
	})
}

// What was forgotten matters to nothing later, and what is late still counts.
func TestForgetting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := []timeline{live(t, "a"), live(t, "b")}
		whole, cut := &Ledger{}, &Ledger{}
		floor := start
		for _, f := range arrival(t, lines) {
			whole.Take(f)
			cut.Take(f)
			if rapid.IntRange(0, 3).Draw(t, "forget") == 0 {
				at := start.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "before")) * time.Second)
				cut.Forget(at)
				if at.After(cut.Newest()) {
					at = cut.Newest()
				}
				if at.After(floor) {
					floor = at
				}
			}
			cut = saved(t, cut)
		}
		from := Window{From: floor}
		if spans(whole.Gaps(from)) != spans(cut.Gaps(from)) {
			t.Fatalf("from %s:\n%s\nwithout what was forgotten\n%s", seconds(floor), text(whole.Gaps(from)), text(cut.Gaps(from)))
		}
	})
}

// spans are gaps without what may be told better later on.
func spans(gaps []Gap) (out string) {
	for _, g := range gaps {
		out += fmt.Sprintln(g.Entity, seconds(g.From), seconds(g.Until))
	}
	return out
}

func saved(t *rapid.T, l *Ledger) *Ledger {
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var again Ledger
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if c, err := json.Marshal(&again); err != nil || string(b) != string(c) {
		t.Fatalf("saved as\n%s\nand restored as\n%s (%v)", b, c, err)
	}
	return &again
}

// String is the timeline as a story has it.
func (line timeline) String() (out string) {
	for _, f := range line {
		out += fmt.Sprintf(" %s:%s%s@%s", f.Instance, f.Type, f.Epoch, seconds(f.At))
		if !f.HeardAt.IsZero() {
			out += "/" + seconds(f.HeardAt)
		}
		if f.Answers {
			out += "^"
		}
		for _, s := range f.Subscriptions {
			out += fmt.Sprintf(" %s.%s=%v", s.EntityID, s.EventName, s.Subscribed)
		}
		if f.Live {
			out += "!"
		}
	}
	return out + "\n"
}
