package e2e

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// feeders are the replicas of ingest that the generator plays.
var feeders = []string{"ingest-a", "ingest-b"}

const certifyHub = "hub.example"

// feedPlan is one coverage event.
type feedPlan struct {
	instance, epoch, id string
	kind                event.FeedType
	live                bool
	entities            []string
}

// listen adds what one replica tells of its listening: connections that end,
// some without a word, and the time until the next.
func (g *generator) listen(instance string) {
	tell := func(at time.Duration, f feedPlan) {
		if at < g.span {
			f.instance, f.id = instance, g.guid()
			g.plan = append(g.plan, planned{at: at, feed: &f})
			g.counted.feed++
		}
	}
	var users []string
	for _, u := range g.users {
		users = append(users, u.UserID)
	}
	for at := time.Duration(0); at < g.span; {
		epoch, end := g.guid(), at+2*time.Second+g.upTo(max(4*time.Second, g.span/6))
		tell(at, feedPlan{kind: event.Opened, epoch: epoch})
		tell(at+5*time.Millisecond, feedPlan{kind: event.Subscribed, epoch: epoch, live: true, entities: users})
		for beat := at + time.Second; beat < end; beat += time.Second {
			tell(beat, feedPlan{kind: event.Heartbeat, epoch: epoch, live: true})
		}
		if g.chance(70) {
			tell(end, feedPlan{kind: event.Closed, epoch: epoch})
		}
		at = end + 10*time.Millisecond + g.upTo(6*time.Second)
	}
}

// message makes the coverage event as ingest does.
func (p feedPlan) message(at time.Time) (bus.Outgoing, error) {
	f := event.Feed{
		Instance: p.instance, Type: p.kind, Epoch: p.epoch, Live: p.live, At: at, HeardAt: at, Answers: true, Hub: certifyHub,
	}
	for _, id := range p.entities {
		f.Subscriptions = append(f.Subscriptions, event.Subscription{EntityID: id, EventName: "UserCallInComing", Subscribed: true})
	}
	e, err := event.NewFeed(f, p.id, 1)
	if err != nil {
		return bus.Outgoing{}, err
	}
	header, body, err := event.Encode(e)
	if err != nil {
		return bus.Outgoing{}, err
	}
	header[jetstream.MsgIDHeader] = []string{e.ID()}
	return bus.Outgoing{Subject: topology.Feed(p.instance, string(p.kind)), Header: header, Data: body, Arrived: at}, nil
}

// message makes what ingest would publish of a raw event that it hears now.
func (p planned) message(start, now time.Time, partitions int) (bus.Outgoing, error) {
	if p.feed != nil {
		return p.feed.message(start.Add(p.at).UTC())
	}
	body := p.raw.body(start)
	raw, _ := event.ParseRaw(body) // what cannot be read still has an id
	key := topology.KeyToken(raw.Key())
	id := event.RawSource(certifyHub, raw.OrganizationID) + "#" + raw.ID
	header := nats.Header{}
	if !p.bare {
		header = event.EncodeRaw(raw, certifyHub, key, now, traceOf(id))
	}
	header[jetstream.MsgIDHeader] = []string{id + p.again}
	subject := topology.Raw(topology.Partition(key, partitions), raw.OrganizationID, raw.EventType, key)
	return bus.Outgoing{Subject: subject, Header: header, Data: body, Key: key, Arrived: now}, nil
}

// traceOf makes a trace context, as every message has one.
func traceOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("00-%x-%x-01", sum[:16], sum[16:24])
}

// timetable gives a plan to a publisher when its time has come, and behind it
// one heartbeat a second of each replica: they carry the clock on.
type timetable struct {
	partitions int
	start      time.Time
	ready      chan struct{}

	mu    sync.Mutex
	plan  []planned
	next  int
	beat  time.Duration
	taken int
	over  int // stored or refused
	again int // what RTE knew already
	ended bool
}

func newTimetable(plan []planned, span time.Duration, partitions int) *timetable {
	return &timetable{partitions: partitions, start: time.Now(), ready: make(chan struct{}, 1), plan: plan, beat: span}
}

// Take implements bus.Source.
func (t *timetable) Take(least, most int) (all []bus.Outgoing, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	due := t.due(now)
	if due < least && t.next+due < len(t.plan) {
		return nil, nil
	}
	for ; due > 0 && len(all) < most; due-- {
		m, err := t.plan[t.next].message(t.start, now.UTC(), t.partitions)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		t.next++
	}
	if t.next == len(t.plan) && !t.ended {
		beats, err := t.beats(now)
		if err != nil {
			return nil, err
		}
		all = append(all, beats...)
	}
	t.taken += len(all)
	return all, nil
}

// due is how many of the plan are.
func (t *timetable) due(now time.Time) int {
	rest := t.plan[t.next:]
	n, _ := slices.BinarySearchFunc(rest, now.Sub(t.start)+1, func(p planned, at time.Duration) int { return cmp.Compare(p.at, at) })
	return n
}

// beats are the heartbeats since the last ones.
func (t *timetable) beats(now time.Time) (all []bus.Outgoing, err error) {
	for ; t.beat <= now.Sub(t.start); t.beat += time.Second {
		for _, instance := range feeders {
			beat := feedPlan{instance: instance, epoch: "tail", id: "tail-" + t.beat.String(), kind: event.Heartbeat, live: true}
			m, err := beat.message(t.start.Add(t.beat).UTC())
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// Ready implements bus.Source.
func (t *timetable) Ready() <-chan struct{} { return t.ready }

// tick wakes the publisher.
func (t *timetable) tick() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

func (t *timetable) stored(_ bus.Outgoing, ack *jetstream.PubAck) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ack.Duplicate {
		t.again++
	}
}

func (t *timetable) settled(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over += n
}

// published reports whether the whole plan stands in RTE.
func (t *timetable) published() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next == len(t.plan) && t.over >= len(t.plan)
}

// end stops the heartbeats.
func (t *timetable) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// idle reports whether everything that was taken is over.
func (t *timetable) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over == t.taken
}
