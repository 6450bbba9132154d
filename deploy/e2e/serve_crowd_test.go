package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// crowd is a list of many calls.
type crowd struct {
	Site  string `json:"site"`
	Calls int    `json:"calls"`
}

const (
	crowdPartitions = 4
	crowdRejects    = 40 // one call in so many is refused by Reapit
)

// crowdLife is what is heard of each call, and what transform makes of it.
var crowdLife = []struct {
	heard string
	told  event.CallType
}{{"UserCallInUserAllocated", event.Incoming}, {"UserCallInUserConnected", event.Answered}, {"UserCallInDisconnected", event.Ended}}

func crowdID(n int) string     { return fmt.Sprintf("c20d0001-93d2-4b7e-8a61-%012d", n) }
func crowdCaller(n int) string { return fmt.Sprintf("+4477009%05d", n) }

// newCrowd writes the calls straight into the streams: what the hub says into
// RTE, what deliver would have said into DELIVERIES; transform does the rest.
func newCrowd(t *testing.T, calls int) *crowd {
	t.Helper()
	r := start(t, stack.Options{Partitions: crowdPartitions, RealEnreach: true, RealReapit: true, Ingest: -1, Deliver: -1})
	r.answer(r.say(calls))
	want := uint64(len(crowdLife) * calls)
	r.eventually(2*time.Minute, say("transform to have told of %d calls", calls), func() bool { return r.stored("CALLS", "calls.>") >= want })
	return &crowd{Site: r.serve("--listen", "127.0.0.1:0"), Calls: calls}
}

// say fills RTE, and returns when each call was heard of.
func (r *rig) say(calls int) []time.Time {
	r.t.Helper()
	users, heard := staff(), make([]time.Time, calls)
	for n := range calls {
		user := users[n%len(users)]
		heard[n] = time.Now()
		for i, life := range crowdLife {
			body := fmt.Appendf(nil, `{"data":{"id":"c0de%04d-7a3b-4c5d-9e8f-%012d","eventType":%q,"entityType":"User","userId":%q,"username":%q,"callId":%q,"organizationId":%q,"callerNumber":%q,"targetNumber":"+442071838750"}}`,
				i, n, life.heard, user.UserID, user.UserName, crowdID(n), firstOrganization, crowdCaller(n))
			raw, err := event.ParseRaw(body)
			if err != nil {
				r.t.Fatal(err)
			}
			subject := topology.Raw(topology.Partition(raw.Key(), crowdPartitions), firstOrganization, life.heard, topology.KeyToken(raw.Key()))
			m := nats.Msg{Subject: subject, Header: event.EncodeRaw(raw, "hub.example", raw.Key(), heard[n], ""), Data: body}
			if _, err := r.js.PublishMsgAsync(&m, jetstream.WithStallWait(time.Minute)); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	<-r.js.PublishAsyncComplete()
	return heard
}

// answer fills DELIVERIES.
func (r *rig) answer(heard []time.Time) {
	r.t.Helper()
	log, err := bus.OpenLog(r.t.Context(), r.js, topology.Deliveries, topology.DeliveryLogPrefix)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	for n, at := range heard {
		for i := range crowdLife {
			o := crowdOutcome(n, i, at)
			ce, err := event.NewOutcome(o, "")
			if err != nil {
				r.t.Fatal(err)
			}
			header, body, err := event.Encode(ce)
			if err != nil {
				r.t.Fatal(err)
			}
			subject := topology.Delivery(o.Customer, o.NegotiatorID, string(o.Outcome), o.CallID)
			if err := log.Append(subject, header, body, bus.Position{In: uint64(n + 1), Idx: i}); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if err := log.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func crowdOutcome(n, i int, heard time.Time) event.Outcome {
	users, told := staff(), crowdLife[i].told
	user := users[n%len(users)]
	o := event.Outcome{
		EventID: event.Call{CallID: crowdID(n), Sequence: i + 1}.EventID(), CallID: crowdID(n), OrganizationID: firstOrganization,
		Customer: "SBOX", NegotiatorID: fmt.Sprintf("U%02d", n%len(users)+1), Users: []event.User{user}, Type: told, SubType: string(told) + "Call",
		Outcome: event.Delivered, Attempts: 1, Status: 202, OccurredAt: heard.UTC(), ReceivedAt: heard.UTC(),
	}
	if n%crowdRejects == 0 {
		o.Outcome, o.Cause, o.Status, o.Reason = event.Rejected, "rejected", 422, "Reapit found the notification invalid (HTTP 422)"
	}
	tried := o.ReceivedAt.Add(time.Duration(2+n%37) * time.Millisecond)
	o.FirstTriedAt, o.FinishedAt = &tried, tried.Add(30*time.Millisecond)
	o.LatencyMS = o.FinishedAt.Sub(o.ReceivedAt).Milliseconds()
	return o
}

// staff are the users of the crowd, in the order of their ids.
func staff() []event.User {
	all := make([]event.User, 40)
	for i := range all {
		all[i] = event.User{UserID: fmt.Sprintf("57aff000-ce86-e611-80c9-%012d", i+1), UserName: fmt.Sprintf("user%02d@agency.example", i+1)}
	}
	return all
}
