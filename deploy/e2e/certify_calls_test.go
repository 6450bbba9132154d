package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// callStories are the calls of the call model, as people wrote them down: their
// lives are what the generator makes its calls of.
const callStories = "../../transform/internal/call/testdata/*.txtar"

// story is what happens in the life of one call, in the order in which it is heard.
type story []step

// step is one event of a story. Times count from its beginning.
type step struct {
	at, happened                  time.Duration
	undated                       bool
	kind, user, id                string
	caller, called, number, queue string
	reason                        *string
	saysCaller, saysCalled        bool
}

func readStories(t *testing.T) (all []story) {
	t.Helper()
	files, err := filepath.Glob(callStories)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range archive.Files {
			if section.Name != "events" {
				continue
			}
			s, err := readCallStory(string(section.Data))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, s)
		}
	}
	if len(all) < 60 {
		t.Fatalf("%d stories in %s", len(all), callStories)
	}
	return all
}

// readCallStory leaves out the lines about coverage: that is another matter here.
func readCallStory(text string) (s story, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		next := step{kind: f[1], user: strings.TrimPrefix(f[2], "-")}
		if next.at, err = time.ParseDuration(f[0]); err != nil {
			return nil, err
		}
		next.happened = next.at
		for _, pair := range f[3:] {
			if err := next.read(pair); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
		s = append(s, next)
	}
	return s, nil
}

func (s *step) read(pair string) (err error) {
	key, value, _ := strings.Cut(pair, "=")
	value = strings.TrimPrefix(value, "-")
	switch key {
	case "at":
		if s.undated = value == "none"; !s.undated {
			s.happened, err = time.ParseDuration(value)
		}
	case "id":
		s.id = value
	case "reason":
		s.reason = &value
	case "caller":
		s.caller, s.saysCaller = value, true
	case "called":
		s.called, s.saysCalled = value, true
	case "number":
		s.number = value
	case "queue":
		s.queue = value
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

// planned is one message that is to be published: a raw event or a coverage event.
type planned struct {
	at    time.Duration // when, from the start
	raw   *rawPlan
	feed  *feedPlan
	bare  bool // without the attributes of a CloudEvent
	again string
}

// rawPlan is a raw event; one that is garbage has only a body.
type rawPlan struct {
	happened time.Duration
	undated  bool
	data     rawData
	garbage  string
}

// rawData is what the hub says of an event.
type rawData struct {
	EventType      string  `json:"eventType"`
	EntityType     string  `json:"entityType"`
	EntityID       string  `json:"entityId"`
	CallID         string  `json:"callId,omitempty"`
	UserID         string  `json:"userId,omitempty"`
	OrganizationID string  `json:"organizationId"`
	UserName       string  `json:"userName,omitempty"`
	UserNumber     string  `json:"userNumber,omitempty"`
	CallerNumber   string  `json:"callerNumber"`
	TargetNumber   string  `json:"targetNumber"`
	TechQueueID    string  `json:"techQueueId,omitempty"`
	Reason         *string `json:"reason"`
	ID             string  `json:"id"`
	Timestamp      string  `json:"timestamp"`
	TTL            int     `json:"messageTTLSeconds"`
}

// body is the message of the hub, with its times.
func (p rawPlan) body(start time.Time) []byte {
	if p.garbage != "" {
		return []byte(p.garbage)
	}
	d := p.data
	if d.Timestamp = start.Add(p.happened).UTC().Format(time.RFC3339Nano); p.undated {
		d.Timestamp = "0001-01-01T00:00:00Z"
	}
	b, err := json.Marshal(map[string]any{
		"subscription": map[string]any{"eventType": d.EventType, "entityType": d.EntityType, "entityId": d.EntityID, "organizationId": d.OrganizationID},
		"data":         d,
	})
	if err != nil {
		panic(err) // strings and a number
	}
	return b
}

// counted is how much of what a plan holds.
type counted struct{ stored, calls, again, other, swapped, missing, late, garbage, unknown, noCall, feed int }

// String is one line.
func (c counted) String() string {
	return fmt.Sprintf("%d raw events of %d calls: %d of them repeated under another Msg-Id, %d neighbours swapped, %d steps left out, %d late, %d garbage, %d of an unknown type, %d of no call; besides %d repeated under the same Msg-Id; %d coverage events",
		c.stored, c.calls, c.other, c.swapped, c.missing, c.late, c.garbage, c.unknown, c.noCall, c.again, c.feed)
}

// generator makes calls of stories. The same seed makes the same calls.
type generator struct {
	random  *rand.Rand
	span    time.Duration
	stories []story
	users   []rawData // the parts that tell of a user
	queues  []string
	orgs    []string
	plan    []planned
	counted counted
}

func newGenerator(seed uint64, span time.Duration) *generator {
	g := &generator{random: rand.New(rand.NewPCG(seed, 1)), span: span}
	for n := range 60 {
		id := g.guid()
		g.users = append(g.users, rawData{UserID: id, UserName: fmt.Sprintf("user%d@agency.example", n), UserNumber: fmt.Sprintf("+4416329601%02d", n)})
	}
	for range 5 {
		g.queues, g.orgs = append(g.queues, g.guid()), append(g.orgs, g.guid())
	}
	return g
}

// plan is what to publish within span: at least so many different raw events
// that are to be stored, and the coverage events of two replicas of ingest.
func plan(seed uint64, stories []story, span time.Duration, events int) ([]planned, counted) {
	g := newGenerator(seed, span)
	g.stories = stories
	for g.counted.stored < events {
		g.life()
	}
	for _, instance := range feeders {
		g.listen(instance)
	}
	slices.SortStableFunc(g.plan, func(a, b planned) int { return cmp.Compare(a.at, b.at) })
	return g.plan, g.counted
}

func (g *generator) guid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", g.random.Uint32(), g.random.IntN(1<<16), g.random.IntN(1<<12), g.random.IntN(1<<12), g.random.Int64N(1<<48))
}

// chance is true in so many of a hundred cases.
func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

func (g *generator) upTo(most time.Duration) time.Duration {
	return time.Duration(g.random.Int64N(int64(most)))
}

// life adds one call, and what goes wrong on the way.
func (g *generator) life() {
	s := g.stories[g.random.IntN(len(g.stories))]
	begun := g.upTo(g.span * 9 / 10)
	within := g.upTo(min(20*time.Second, g.span/3)) + time.Millisecond // a story of minutes takes seconds
	longest := s[len(s)-1].at + time.Nanosecond
	squeeze := func(d time.Duration) time.Duration {
		if d > longest { // not a time of this call: days away
			return d
		}
		return time.Duration(float64(d) / float64(longest) * float64(within))
	}
	var life []planned
	cast := g.cast()
	for _, event := range s {
		if g.chance(7) {
			g.counted.missing++
			continue
		}
		raw := cast.play(event)
		raw.happened = begun + squeeze(event.happened)
		life = append(life, planned{at: begun + squeeze(event.at), raw: &raw, again: cast.repeat(raw.data.ID)})
	}
	g.counted.calls++
	g.counted.stored += len(life)
	life = append(life, g.noise(begun, cast)...)
	g.disorder(life)
	g.plan = append(g.plan, append(life, g.repeats(life)...)...)
}

// cast is who plays in one life of a call.
type cast struct {
	g              *generator
	call           string
	org            string
	caller, called string
	users          []rawData
	known          map[string]string // names in the story
	ids            map[string]string
	said           map[string]int
}

func (g *generator) cast() *cast {
	c := &cast{g: g, call: g.guid(), org: g.orgs[g.random.IntN(len(g.orgs))], known: map[string]string{}, ids: map[string]string{}, said: map[string]int{}}
	c.caller, c.called = fmt.Sprintf("+4477009%05d", g.random.IntN(100_000)), fmt.Sprintf("+4411349%05d", g.random.IntN(100_000))
	for _, n := range g.random.Perm(len(g.users)) {
		c.users = append(c.users, g.users[n])
	}
	return c
}

// play makes the event of a step.
func (c *cast) play(s step) rawPlan {
	d := rawData{EventType: s.kind, EntityType: "Queue", CallID: c.call, OrganizationID: c.org, CallerNumber: c.caller, TargetNumber: c.called, Reason: s.reason, TTL: -1}
	if s.saysCaller {
		d.CallerNumber = s.caller
	}
	if s.saysCalled {
		d.TargetNumber = s.called
	}
	if s.queue != "" {
		d.TechQueueID = c.named("queue "+s.queue, func(n int) string { return c.g.queues[n%len(c.g.queues)] })
	}
	d.EntityID = cmp.Or(d.TechQueueID, c.g.queues[0])
	if s.user != "" {
		d.UserID = c.named(s.user, func(n int) string { return c.users[n%len(c.users)].UserID })
		u := c.users[slices.IndexFunc(c.users, func(u rawData) bool { return u.UserID == d.UserID })]
		d.EntityType, d.EntityID, d.UserName = "User", d.UserID, u.UserName
		d.UserNumber = s.number
	}
	if d.ID = c.g.guid(); s.id != "" {
		if c.ids[s.id] == "" {
			c.ids[s.id] = d.ID
		}
		d.ID = c.ids[s.id]
	}
	return rawPlan{undated: s.undated, data: d}
}

// named is who plays a name of the story.
func (c *cast) named(name string, pick func(n int) string) string {
	if c.known[name] == "" {
		c.known[name] = pick(len(c.known))
	}
	return c.known[name]
}

// repeat tells the mark of an id that was said before: under one Msg-Id it would
// be stored once only.
func (c *cast) repeat(id string) string {
	c.said[id]++
	if n := c.said[id]; n > 1 {
		return fmt.Sprintf("+%d", n)
	}
	return ""
}

// noise is what the hub says besides.
func (g *generator) noise(begun time.Duration, c *cast) (all []planned) {
	add := func(raw rawPlan, bare bool) {
		all = append(all, planned{at: begun + g.upTo(g.span/10), raw: &raw, bare: bare})
		g.counted.stored++
	}
	if g.chance(15) {
		unknown := c.play(step{kind: "UserCallInTeleported", user: "jane"})
		unknown.happened = begun
		add(unknown, false)
		g.counted.unknown++
	}
	if g.chance(25) {
		status := c.play(step{kind: "UserStatus", user: "tom"})
		status.data.CallID, status.happened = "", begun
		add(status, false)
		g.counted.noCall++
	}
	if g.chance(10) {
		forms := []string{`{"data":null,"n":"%s"}`, `{"n":"%s"}`, `["%s"]`, `"%s"`, `{"data":"%s`, `%s is no JSON`, `{"data":{"callId":[1,2],"id":"%s"}}`}
		add(rawPlan{garbage: fmt.Sprintf(forms[g.random.IntN(len(forms))], g.guid())}, g.chance(30))
		g.counted.garbage++
	}
	return all
}

// disorder swaps neighbours and delays some; what happened when stays as it was.
func (g *generator) disorder(life []planned) {
	for i := 1; i < len(life); i++ {
		if g.chance(10) {
			life[i-1], life[i] = life[i], life[i-1]
			life[i-1].at, life[i].at = life[i].at, life[i-1].at
			g.counted.swapped++
		}
	}
	for i := range life {
		if g.chance(4) {
			life[i].at += g.upTo(min(15*time.Second, g.span/10))
			g.counted.late++
		}
	}
}

// repeats are the same events again: as one that a second replica sends, which
// the stream takes for the same message, and as one that nothing tells from a
// new message but the event's id.
func (g *generator) repeats(life []planned) (all []planned) {
	for _, m := range life {
		m.at += g.upTo(min(3*time.Second, g.span/10))
		if g.chance(10) {
			all = append(all, m)
			g.counted.again++
		}
		if g.chance(10) {
			m.again += "+another"
			all = append(all, m)
			g.counted.other++
			g.counted.stored++
		}
	}
	return all
}
