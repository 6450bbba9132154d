package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

const planted = 4 // partitions

// logOf is what a stream would hold that is as it ought to be: the events of
// some calls, interleaved.
func logOf(calls int) (reference []byte, log []bus.Message) {
	for n := range 5 * calls {
		call := fmt.Sprintf("00000000-0000-4000-8000-%012d", n%calls)
		body := fmt.Appendf(nil, `{"callId":%q,"sequence":%d,"type":"held"}`, call, n/calls+1)
		reference = append(append(reference, body...), '\n')
		log = append(log, bus.Message{
			Seq: uint64(n + 1), Subject: topology.CallEvent(topology.Partition(call, planted), "", "held", call), Data: body,
			Header: nats.Header{
				"ce-id": {call + "/" + strconv.Itoa(n/calls+1)}, "ce-sequence": {strconv.Itoa(n/calls + 1)},
				bus.HeaderIn: {strconv.Itoa(n/2 + 7)}, bus.HeaderIdx: {strconv.Itoa(n % 2)},
			},
		})
	}
	return reference, log
}

// audited is all that the verdict asks of a log.
func audited(t *testing.T, reference []byte, log []bus.Message) []finding {
	t.Helper()
	want, err := referenceOf(reference, planted)
	if err != nil {
		t.Fatal(err)
	}
	have, found := heldBy("log", log, planted)
	return slices.Concat(found, differences("log", want, have), miscounted("log", have), positions("log", log))
}

func TestCheckerFindsWhatIsPlanted(t *testing.T) {
	const calls, at = 9, 20 // the third event of a call
	clone := func(m bus.Message, change func(*bus.Message)) bus.Message {
		m.Header = maps.Clone(m.Header)
		change(&m)
		return m
	}
	for _, c := range []struct {
		name  string
		plant func([]bus.Message) []bus.Message
		want  map[string]int
	}{
		{"nothing", func(l []bus.Message) []bus.Message { return l }, map[string]int{}},
		{"dropped", func(l []bus.Message) []bus.Message { return slices.Delete(l, at, at+1) }, map[string]int{missingEvent: 1, misnumbered: 2}},
		{"the last dropped", func(l []bus.Message) []bus.Message { return l[:len(l)-1] }, map[string]int{missingEvent: 1}},
		{"doubled", func(l []bus.Message) []bus.Message { return slices.Insert(l, at, l[at]) }, map[string]int{doubledEvent: 1, misnumbered: 1, misplaced: 1}},
		{"doubled by another input", func(l []bus.Message) []bus.Message {
			return append(l, clone(l[at], func(m *bus.Message) { m.Header.Set(bus.HeaderIn, "1000") }))
		}, map[string]int{doubledEvent: 1, misnumbered: 1}},
		{"two of a call in the wrong order", func(l []bus.Message) []bus.Message {
			l[at], l[at+calls] = l[at+calls], l[at]
			return l
		}, map[string]int{misplaced: 4, misnumbered: 2}},
		{"content changed", func(l []bus.Message) []bus.Message {
			l[at] = clone(l[at], func(m *bus.Message) { m.Data = []byte(string(m.Data[:len(m.Data)-2]) + `!"}`) })
			return l
		}, map[string]int{changedEvent: 1}},
		{"id changed", func(l []bus.Message) []bus.Message {
			l[at] = clone(l[at], func(m *bus.Message) { m.Header.Set("ce-id", "another/3") })
			return l
		}, map[string]int{mislabelled: 1, extraEvent: 1, missingEvent: 1, misnumbered: 3}},
		{"an event of no call in RTE", func(l []bus.Message) []bus.Message {
			call := "00000000-0000-4000-8000-999999999999"
			return append(l, bus.Message{
				Seq: 1000, Subject: topology.CallEvent(topology.Partition(call, planted), "", "held", call), Data: []byte(`{"callId":"` + call + `","sequence":1}`),
				Header: nats.Header{"ce-id": {call + "/1"}, "ce-sequence": {"1"}, bus.HeaderIn: {"1000"}, bus.HeaderIdx: {"0"}},
			})
		}, map[string]int{extraEvent: 1}},
		{"in the log of another partition", func(l []bus.Message) []bus.Message {
			l[at] = clone(l[at], func(m *bus.Message) { m.Subject = "calllog.7" + m.Subject[len("calllog.7"):] })
			return l
		}, map[string]int{mislabelled: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reference, log := logOf(calls)
			found := audited(t, reference, c.plant(log))
			if got := kindsOf(found); !reflect.DeepEqual(got, c.want) {
				t.Errorf("found %v, want %v: %v", got, c.want, found)
			}
		})
	}
}

// Any one message that is dropped, doubled, moved or changed is found.
func TestCheckerFindsEveryOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		reference, log := logOf(1 + random.IntN(12))
		at := random.IntN(len(log))
		m := log[at]
		switch kind := random.IntN(4); kind {
		case 0:
			log = slices.Delete(log, at, at+1)
		case 1:
			log = slices.Insert(log, random.IntN(len(log)+1), m)
		case 2:
			to := random.IntN(len(log))
			if to == at {
				continue
			}
			log = slices.Insert(slices.Delete(log, at, at+1), to, m)
		case 3:
			m.Data = append([]byte(" "), m.Data...)
			log[at] = m
		}
		if len(audited(t, reference, log)) == 0 {
			t.Fatalf("nothing found around message %d of %d", at, len(log))
		}
	}
}

// A seed makes the same events again, and another seed others.
func TestSeedMakesTheSameEvents(t *testing.T) {
	stories := readStories(t)
	const events, span = 3000, time.Minute
	messages, counted := plan(7, stories, span, events)
	again, _ := plan(7, stories, span, events)
	if !reflect.DeepEqual(messages, again) {
		t.Error("the same seed makes other events")
	}
	if other, _ := plan(8, stories, span, events); reflect.DeepEqual(messages, other) {
		t.Error("another seed makes the same events")
	}
	for what, n := range map[string]int{
		"repeated": counted.again, "repeated under another id": counted.other, "swapped": counted.swapped, "missing": counted.missing,
		"late": counted.late, "garbage": counted.garbage, "unknown": counted.unknown, "of no call": counted.noCall, "coverage": counted.feed,
	} {
		if n == 0 {
			t.Errorf("no event is %s", what)
		}
	}
	kinds := map[string]bool{}
	for _, m := range messages {
		if m.raw != nil {
			kinds[m.raw.data.EventType] = true
		}
	}
	for _, kind := range []string{"UserCallInComing", "UserCallOutConnected", "UserCallInHoldStart", "UserCallInTransferConnected", "QueueCallInArrived", "UserCallInCallbackCreated"} {
		if !kinds[kind] {
			t.Errorf("no %s among %d events", kind, len(messages))
		}
	}
	if counted.stored < events || len(messages) != counted.stored+counted.again+counted.feed {
		t.Errorf("%d messages, counted %v", len(messages), counted)
	}
}
