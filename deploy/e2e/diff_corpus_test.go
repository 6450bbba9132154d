//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// kind is a way for a call to go. What it tells is known by its making, and so
// is which rules of the call model it is decided by: nothing here folds anything.
type kind struct {
	name  string
	often int
	tells string
	story story
}

func readKinds(t *testing.T) (all []kind) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/diff/corpus.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range archive.Files {
		head, tells, _ := strings.Cut(section.Name, ":")
		name, often, _ := strings.Cut(head, " ")
		k := kind{name: name, tells: strings.TrimSpace(tells)}
		if k.often, err = strconv.Atoi(often); err == nil {
			k.story, err = readCallStory(string(section.Data))
		}
		if err != nil || len(k.story) == 0 {
			t.Fatalf("kind %q of %d steps: %v", section.Name, len(k.story), err)
		}
		all = append(all, k)
	}
	return all
}

const (
	corpusPartitions = 4
	corpusPace       = 500 * time.Millisecond // a call begins, on average
	corpusTail       = 4*time.Hour + 10*time.Minute
	corpusBeat       = 2 * time.Second // more often than anybody would be taken for silent
)

// corpus is so many calls, and what they were made of.
type corpus struct {
	*generator
	made  map[string]kind // by the call's id
	start time.Time
}

// newCorpus makes calls that begin and go on at the same time, the same ones
// from the same seed but for the hour. The last of them are over by now.
func newCorpus(seed uint64, kinds []kind, calls int) *corpus {
	span := time.Duration(calls) * corpusPace
	c := &corpus{generator: newGenerator(seed, span), made: map[string]kind{}}
	c.start = time.Now().Add(-span - corpusTail - time.Minute).Truncate(time.Second).UTC()
	var hat []kind
	for _, k := range kinds {
		hat = append(hat, slices.Repeat([]kind{k}, k.often)...)
	}
	for n := range calls {
		k := hat[c.random.IntN(len(hat))]
		if n < len(kinds) {
			k = kinds[n]
		}
		c.add(k)
	}
	c.listen()
	slices.SortStableFunc(c.plan, func(a, b planned) int { return cmp.Compare(a.at, b.at) })
	return c
}

// add lets one call of a kind happen, with some of its events heard twice, and
// with what the hub says besides.
func (c *corpus) add(k kind) {
	begun, stretch := c.upTo(c.span), 0.86+0.28*c.random.Float64()
	at := func(d time.Duration) time.Duration { return begun + time.Duration(stretch*float64(d)) }
	cast := c.cast()
	c.made[cast.call] = k
	for _, s := range k.story {
		raw := cast.play(s)
		raw.happened = at(s.happened)
		c.plan = append(c.plan, planned{at: at(s.at), raw: &raw})
		if c.chance(10) {
			c.plan = append(c.plan, planned{at: at(s.at) + c.upTo(3*time.Second), raw: &raw, again: "+another"})
		}
	}
	if c.chance(10) {
		strange := cast.play(step{kind: "UserCallInTeleported", user: "jane"})
		strange.happened = begun
		c.plan = append(c.plan, planned{at: begun + c.upTo(20*time.Second), raw: &strange})
	}
	if c.chance(10) {
		status := cast.play(step{kind: "UserStatus", user: "jane"})
		status.data.CallID, status.happened = "", begun
		c.plan = append(c.plan, planned{at: begun + c.upTo(20*time.Second), raw: &status})
	}
	if c.chance(2) {
		c.plan = append(c.plan, planned{at: begun, raw: &rawPlan{garbage: fmt.Sprintf("%s is no JSON", c.guid())}})
	}
}

// listen is one connection that hears all of it, and whose heartbeats carry the
// clock on until the last limit has passed.
func (c *corpus) listen() {
	instance, epoch := feeders[0], c.guid()
	var users []string
	for _, u := range c.users {
		users = append(users, u.UserID)
	}
	tell := func(at time.Duration, f feedPlan) {
		f.instance, f.epoch, f.id = instance, epoch, c.guid()
		c.plan = append(c.plan, planned{at: at, feed: &f})
	}
	tell(-2*time.Second, feedPlan{kind: event.Opened})
	tell(-time.Second, feedPlan{kind: event.Subscribed, live: true, entities: users})
	for at := time.Duration(0); at < c.span+corpusTail; at += corpusBeat {
		tell(at, feedPlan{kind: event.Heartbeat, live: true})
	}
}

// messages are those of RTE, with the times at which they were stored.
func (c *corpus) messages(t *testing.T) iter.Seq[bus.Message] {
	return func(yield func(bus.Message) bool) {
		for i, p := range c.plan {
			stored := c.start.Add(p.at)
			out, err := p.message(c.start, stored.Add(-2*time.Millisecond), corpusPartitions)
			if err != nil {
				t.Error(err)
				return
			}
			if !yield(bus.Message{Seq: uint64(i + 1), Stored: stored, Subject: out.Subject, Header: out.Header, Data: out.Data}) {
				return
			}
		}
	}
}

// calls are those of some kinds.
func (c *corpus) calls(kinds []string) (ids []string) {
	for id, k := range c.made {
		if slices.Contains(kinds, k.name) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// telling is how many calls tell anything.
func (c *corpus) telling() (n int) {
	for _, k := range c.made {
		if k.tells != "" {
			n++
		}
	}
	return n
}

// wronglyTold names calls of which CALLS does not tell what their kind does.
func (c *corpus) wronglyTold(told []bus.Message) (found []string) {
	types := map[string][]string{}
	for _, m := range told {
		tokens := strings.Split(m.Subject, ".")
		types[tokens[3]] = append(types[tokens[3]], tokens[2])
	}
	for id, k := range c.made {
		if got := strings.Join(types[topology.KeyToken(id)], " "); got != k.tells {
			found = append(found, fmt.Sprintf("%s, %s: told %q, want %q", id, k.name, got, k.tells))
		}
	}
	slices.Sort(found)
	return found
}
