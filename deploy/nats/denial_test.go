package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// may says who may do something, written down a second time, by hand: a subject
// that is published to, or subscribed to, and the users. Nobody else may, but
// for the one of the tests.
type may struct {
	subject, users string
}

const (
	organization = "29f6e823-b484-e611-80c9-00505689257e"
	callID       = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"
)

// publishing is every kind of subject that is published to.
func publishing() []may {
	all := []may{
		{"rte.0." + organization + ".UserCallInComing." + callID, "ingest"},
		{"feed.ingest-1.heartbeat", "ingest"},
		{"heard.ingest-1", "ingest"},
		{"calls." + organization + ".incoming." + callID, ""},
		{"deliveries.SBOX.JAS.delivered." + callID, "deliver"},
		{"deliverylog.snap", "deliver"},
		{"deliverylog.snap.0.1", "deliver"},
		{"deadletters.ingest.oversize", "ingest"},
		{"deadletters.deliver.rejected", "deliver"},
		{"deadletters.transform.any", ""},
		{"redrive.deliver", "deliver"},
		{"$KV.ringstream-leases.transform.partition.0", "transform"},
		{"$KV.ringstream-leases.transform.member.a", "transform"},
		{"$KV.ringstream-leases.deliver", "deliver"},
		{"$KV.ringstream-leases.other", ""},
		{"$KV.ringstream-negotiators.SBOX.list", "deliver"},
		{"$JS.ACK.CALLS.missed-calls.1.1.1.1.0", "subscriber"},
		{"$JS.ACK._.hash.CALLS.missed-calls.1.1.1.1.0", "subscriber"},
		{"$JS.ACK.RTE.any.1.1.1.1.0", ""},
		{"$JS.API.INFO", "provisioner"},
		{"$JS.API.STREAM.NAMES", ""},
		{"$JS.API.STREAM.LIST", "replay"},
		{"$JS.API.STREAM.CREATE.OTHER", ""},
		{"$JS.API.DIRECT.GET.KV_ringstream-leases.$KV.ringstream-leases.transform.partition.0", "transform replay"},
		{"$JS.API.DIRECT.GET.KV_ringstream-leases.$KV.ringstream-leases.deliver", "deliver replay"},
		{"$JS.API.DIRECT.GET.KV_ringstream-negotiators.$KV.ringstream-negotiators.SBOX.list", "deliver"},
		{"$SYS.REQ.SERVER.PING", ""},
		{"any.thing", ""},
	}
	for p := range topology.DefaultPartitions {
		log := fmt.Sprintf("calllog.%d.", p)
		all = append(all, may{log + "ev." + organization + ".incoming." + callID, "transform"}, may{log + "snap", "transform"}, may{log + "snap.1.0", "transform"})
	}
	for _, r := range topology.Roles() {
		users := ""
		if r == topology.Deliver { // who answers its own command
			users = "deliver"
		}
		all = append(all, may{topology.InboxPrefix(r) + ".other.1", users})
	}
	return slices.Concat(all, streams(), destructive())
}

// streams is what is done with a stream to read it or to make it, and to find
// out how it stands.
func streams() (all []may) {
	const makes = "provisioner"
	type users struct{ looks, reads, filters, asks, gets, deletes string }
	table := map[string]users{
		"RTE":                       {looks: "ingest transform replay", reads: "transform replay", filters: "transform replay", asks: "transform replay", gets: "transform replay", deletes: "transform replay"},
		"CALLS":                     {looks: "transform deliver replay subscriber", reads: "deliver replay subscriber", filters: "replay subscriber", asks: "deliver replay subscriber", gets: "deliver replay", deletes: "deliver replay"},
		"DELIVERIES":                {looks: "deliver replay", reads: "deliver replay", filters: "deliver replay", asks: "deliver replay", gets: "deliver replay", deletes: "deliver replay"},
		"DEADLETTERS":               {looks: "ingest deliver replay", reads: "replay", filters: "deliver replay", asks: "deliver replay", gets: "deliver replay", deletes: "deliver replay"},
		"KV_ringstream-leases":      {looks: "transform deliver replay", deletes: "transform deliver replay"},
		"KV_ringstream-negotiators": {looks: "deliver"},
	}
	for p := range topology.DefaultPartitions {
		table[fmt.Sprintf("CALL_LOG_%d", p)] = users{looks: "transform replay", reads: "replay", filters: "transform replay", asks: "transform replay", gets: "transform replay", deletes: "transform replay"}
	}
	for name, of := range table {
		all = append(all, []may{
			{"$JS.API.STREAM.INFO." + name, of.looks + " " + makes},
			{"$JS.API.STREAM.CREATE." + name, makes},
			{"$JS.API.STREAM.MSG.GET." + name, of.gets},
			{"$JS.API.CONSUMER.CREATE." + name + ".mine", of.reads},
			{"$JS.API.CONSUMER.CREATE." + name + ".mine.some.subject", of.filters},
			{"$JS.API.CONSUMER.MSG.NEXT." + name + ".mine", of.asks},
			{"$JS.API.CONSUMER.DELETE." + name + ".mine", of.deletes},
			{"$JS.API.CONSUMER.CREATE." + name, ""},
			{"$JS.API.CONSUMER.DURABLE.CREATE." + name + ".mine", ""},
			{"$JS.API.CONSUMER.LIST." + name, ""},
			{"$JS.API.DIRECT.GET." + name, ""},
		}...)
		informed := may{"$JS.API.CONSUMER.INFO." + name + ".mine", ""}
		if name == "CALLS" {
			informed.users = "subscriber"
		}
		all = append(all, informed)
	}
	return append(all,
		may{"$JS.API.CONSUMER.CREATE.KV_ringstream-leases.mine.$KV.ringstream-leases.transform.member.*", "transform replay"},
		may{"$JS.API.CONSUMER.CREATE.KV_ringstream-leases.mine.$KV.ringstream-leases.deliver", "deliver replay"})
}

// destructive is what only a person does, with an account of his own.
func destructive() (all []may) {
	for _, s := range everyStream() {
		for _, verb := range []string{"UPDATE", "MSG.DELETE", "SNAPSHOT", "LEADER.STEPDOWN", "PEER.REMOVE", "PURGE", "DELETE"} {
			who := may{"$JS.API.STREAM." + verb + "." + s, ""}
			if verb == "LEADER.STEPDOWN" && s == "CALLS" {
				who.users = "transform"
			}
			all = append(all, who)
		}
	}
	return all
}

func everyStream() (names []string) {
	l := topology.Layout{Partitions: topology.DefaultPartitions, Replicas: 1}
	for _, s := range topology.Streams(l) {
		names = append(names, s.Name)
	}
	for _, b := range topology.Buckets(l) {
		names = append(names, "KV_"+b.Name)
	}
	return names
}

// subscribing is every kind of subject that is listened to.
func subscribing() []may {
	all := []may{
		{">", ""},
		{"*.>", ""},
		{"calls.>", "subscriber"},
		{"calls.*.missed.*", "subscriber"},
		{"rte.>", ""},
		{"calllog.>", ""},
		{"deliveries.>", ""},
		{"deadletters.>", ""},
		{"heard.*", "ingest"},
		{"heard.ingest-1", "ingest"},
		{"redrive.deliver", "deliver"},
		{"$KV.>", ""},
		{"$JS.>", ""},
		{"$JS.ACK.>", ""},
		{"$SYS.>", ""},
	}
	for _, r := range topology.Roles() {
		all = append(all, may{topology.InboxPrefix(r) + ".>", string(r)}, may{topology.InboxPrefix(r) + ".mine.*", string(r)})
	}
	return all
}

// Whatever a user must not do is refused by the server, and what one may do is
// answered, as all of it is for the user of the tests: so nothing is refused by
// chance. Both ways to write the users down are held to it.
func TestEachIsRefusedWhatItMustNotDo(t *testing.T) {
	for name, open := range guards {
		t.Run(name, func(t *testing.T) {
			g := open(t)
			g.provision()
			g.listen()
			users := append([]string{}, everybody...)
			clients := map[string]*client{}
			for _, u := range append(users, test) {
				clients[u] = g.connect(u)
			}
			for _, m := range publishing() {
				for _, u := range users {
					clients[u].publishes(m.subject, slices.Contains(strings.Fields(m.users), u))
				}
				clients[test].publishes(m.subject, true)
			}
			for _, m := range subscribing() {
				for _, u := range users {
					clients[u].subscribes(m.subject, slices.Contains(strings.Fields(m.users), u), clients[test])
				}
				clients[test].subscribes(m.subject, true, clients[test])
			}
		})
	}
}

// client is one user's connection and what the server refused it.
type client struct {
	t        *testing.T
	user     string
	nc       *nats.Conn
	inbox    string
	answers  chan *nats.Msg
	refusals chan error
	n        int
}

const patience = 20 * time.Second

func (g *guard) connect(user string) *client {
	g.t.Helper()
	c := &client{t: g.t, user: user, refusals: make(chan error, 16), answers: make(chan *nats.Msg, 4096)}
	nc, err := bus.Dial(g.as(user), user, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.refusals <- err }))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	c.nc, c.inbox = nc, nc.NewInbox()
	if _, err := nc.ChanSubscribe(c.inbox+".*", c.answers); err != nil {
		g.t.Fatal(err)
	}
	return c
}

// publishes sends a request, which is either answered or refused.
func (c *client) publishes(subject string, allowed bool) {
	c.t.Helper()
	c.n++
	reply := fmt.Sprintf("%s.%d", c.inbox, c.n)
	if err := c.nc.PublishRequest(subject, reply, []byte("{}")); err != nil {
		c.t.Fatal(err)
	}
	for {
		select {
		case err := <-c.refusals:
			if allowed || !strings.Contains(err.Error(), fmt.Sprintf("Permissions Violation for Publish to %q", subject)) {
				c.t.Errorf("%s publishes to %s: %v", c.user, subject, err)
			}
			return
		case m := <-c.answers:
			if m.Subject != reply {
				continue // a further answer to what came before
			}
			if !allowed {
				c.t.Errorf("%s publishes to %s and is answered %q", c.user, subject, m.Data)
			}
			c.stored(subject, m)
			return
		case <-time.After(patience):
			c.t.Fatalf("%s publishes to %s: neither refused nor answered", c.user, subject)
		}
	}
}

// stored demands of an answer to what belongs into a stream that it is there.
func (c *client) stored(subject string, m *nats.Msg) {
	c.t.Helper()
	if !slices.ContainsFunc([]string{"rte.", "feed.", "calllog.", "deliver", "deadletters.", "$KV."}, func(p string) bool { return strings.HasPrefix(subject, p) }) {
		return
	}
	var ack struct {
		Stream string `json:"stream"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil || ack.Stream == "" {
		c.t.Errorf("%s publishes to %s and no stream takes it: %q", c.user, subject, m.Data)
	}
}

// subscribes listens, and then hears what another one says, or is refused.
func (c *client) subscribes(subject string, allowed bool, other *client) {
	c.t.Helper()
	sub, err := c.nc.SubscribeSync(subject)
	if err == nil {
		err = c.nc.Flush() // the refusal comes before the answer to it
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if !allowed {
		select {
		case err := <-c.refusals:
			if !strings.Contains(err.Error(), fmt.Sprintf("Permissions Violation for Subscription to %q", subject)) {
				c.t.Errorf("%s subscribes to %s: %v", c.user, subject, err)
			}
		case <-time.After(patience):
			c.t.Errorf("%s subscribes to %s and is not refused", c.user, subject)
		}
		return
	}
	if err := other.nc.Publish(strings.NewReplacer("*", "x", ">", "x").Replace(subject), nil); err != nil {
		c.t.Fatal(err)
	}
	if _, err := sub.NextMsg(patience); err != nil {
		c.t.Errorf("%s subscribes to %s and hears nothing: %v", c.user, subject, err)
	}
}
