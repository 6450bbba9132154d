package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

func outgoing(i, keys int) bus.Outgoing { return of(i, fmt.Sprintf("k%d", i%keys)) }

func of(i int, key string) bus.Outgoing {
	return bus.Outgoing{
		Subject: topology.Raw(0, "", "Test", topology.KeyToken(key)), Key: key, Data: fmt.Appendf(nil, "%d", i),
		Header: nats.Header{"Nats-Msg-Id": {fmt.Sprintf("id-%d", i)}},
	}
}

// queue is a source that holds everything until it is taken.
type queue struct {
	mu    sync.Mutex
	all   []bus.Outgoing
	put   int
	ready chan struct{}
	over  atomic.Int64 // stored or refused
}

func (q *queue) Ready() <-chan struct{} { return q.ready }

func (q *queue) Take(least, most int) ([]bus.Outgoing, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.all) < least {
		return nil, nil
	}
	batch := q.all[:min(most, len(q.all))]
	q.all = q.all[len(batch):]
	return batch, nil
}

func (q *queue) publish(m bus.Outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, m)
	q.put++
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// flush waits until everything that was published is over.
func (q *queue) flush(t testing.TB) {
	t.Helper()
	bustest.Eventually(t, "everything to be stored", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.over.Load() == int64(q.put)
	})
}

func publisherOf(t testing.TB, cfg bus.Config) (*bus.Publisher, *queue, func()) {
	t.Helper()
	q := &queue{ready: make(chan struct{}, 1)}
	p := bus.NewPublisher(cfg, "publisher", q, slog.New(slog.DiscardHandler))
	p.Settled = func(n int) { q.over.Add(int64(n)) }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	return p, q, func() {
		go func() { defer close(ended); _ = p.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
	}
}

// expectInOrder expects n messages, those of each of so many keys in their order.
func expectInOrder(t *testing.T, js jetstream.JetStream, n, keys int) {
	t.Helper()
	messages := bustest.Messages(t, js, topology.RTE)
	if len(messages) != n {
		t.Fatalf("%d messages stored, want %d", len(messages), n)
	}
	last := map[int]int{}
	for at, m := range messages {
		i, err := strconv.Atoi(string(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		if want, ok := last[i%keys]; ok && i != want+keys || !ok && i != i%keys {
			t.Fatalf("message %d is %d, and the one before of its key %d", at, i, want)
		}
		last[i%keys] = i
	}
}

func TestPublisherKeepsOrderWhileTheServerRestarts(t *testing.T) {
	const n = 20_000
	s := bustest.Run(t)
	js := s.Provisioned(1)
	p, q, start := publisherOf(t, s.Config(1))
	stored := 0
	restarts := make(chan struct{}, 3)
	p.Stored = func(bus.Outgoing, *jetstream.PubAck) {
		if stored++; stored%5000 == 0 && stored < n {
			restarts <- struct{}{}
		}
	}
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		for range 3 {
			<-restarts
			s.Stop()
			s.Start()
		}
	}()
	start()
	for i := range n {
		q.publish(outgoing(i, 97))
	}
	q.flush(t)
	<-restarted
	if stored != n {
		t.Fatalf("%d were reported stored, want %d", stored, n)
	}
	expectInOrder(t, js, n, 97)
}

func TestTwoPublishersOfTheSameEventsMakeOneCopy(t *testing.T) {
	const n = 3000
	s := bustest.Run(t)
	js := s.Provisioned(1)
	var both []*queue
	for range 2 {
		_, q, start := publisherOf(t, s.Config(1))
		for i := range n {
			q.publish(outgoing(i, 11))
		}
		start()
		both = append(both, q)
	}
	for _, q := range both {
		q.flush(t)
	}
	expectInOrder(t, js, n, 11)
}

// A cluster says of a message of which the other has a copy on its way that it is
// in process. Nobody has to dial anew for that, or waits longer than it takes.
func TestClusterTakesTheSameEventsFromTwoPublishers(t *testing.T) {
	const n = 100
	nodes := bustest.Cluster(t, 3)
	cfg := bus.Config{URL: bustest.ClusterURL(nodes), Provision: bus.ProvisionCreate, Replicas: 3, Partitions: 1}
	js := connected(t, cfg)
	if err := bus.Prepare(t.Context(), js, cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var both []*queue
	for range 2 {
		p, q, start := publisherOf(t, cfg)
		p.Connected = func(up bool, err error) {
			if !up {
				t.Errorf("interrupted: %v", err)
			}
		}
		start()
		both = append(both, q)
	}
	for i := range n {
		for _, q := range both {
			q.publish(outgoing(i, 11))
		}
		for _, q := range both {
			q.flush(t)
		}
	}
	expectInOrder(t, js, n, 11)
}

func connected(t testing.TB, cfg bus.Config) jetstream.JetStream {
	t.Helper()
	nc, err := bus.Connect(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := bus.JetStream(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestPublisherHandsBackWhatCanNeverBeStored(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	p, q, start := publisherOf(t, s.Config(1))
	refused := make(chan error, 2)
	p.Refused = func(_ bus.Outgoing, err error) *bus.Outgoing {
		refused <- err
		return nil
	}
	start()
	big := outgoing(-1, 1)
	big.Data = make([]byte, 2<<20)
	nowhere := outgoing(-2, 1)
	nowhere.Subject = "two words"
	for _, m := range []bus.Outgoing{outgoing(0, 5), big, nowhere, outgoing(1, 5)} {
		q.publish(m)
	}
	q.flush(t)
	for range 2 {
		if err := <-refused; err == nil {
			t.Fatal("refused without an error")
		}
	}
	expectInOrder(t, js, 2, 5)
}

// A server that is not there yet: the publisher waits and loses nothing.
func TestPublisherWaitsForTheStream(t *testing.T) {
	s := bustest.Run(t)
	p, q, start := publisherOf(t, s.Config(1))
	told := make(chan error, 100)
	p.Connected = func(up bool, err error) {
		if !up {
			told <- err
		}
	}
	start()
	for i := range 100 {
		q.publish(outgoing(i, 7))
	}
	if err := <-told; err == nil {
		t.Fatal("no reason given")
	}
	js := s.Provisioned(1)
	q.flush(t)
	expectInOrder(t, js, 100, 7)
}

// A call that rings does not wait for the ack of another's event.
func TestPublisherSendsOneBesideAFew(t *testing.T) {
	t.Parallel()
	s := bustest.Run(t)
	js := s.Provisioned(1)
	nc := js.Conn()
	unanswered := make(chan *nats.Msg, 100)
	if _, err := nc.ChanQueueSubscribe("lonely", "q", unanswered); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	_, q, start := publisherOf(t, s.Config(1))
	start()
	lonely := outgoing(1, 2)
	lonely.Subject, lonely.Key = "lonely", "lonely"
	q.publish(lonely)
	<-unanswered
	q.publish(outgoing(0, 1))
	bustest.Eventually(t, "the other message to be stored", func() bool { return len(bustest.Messages(t, js, topology.RTE)) == 1 })
	if len(unanswered) > 0 {
		t.Error("the other message waited until the first was overdue")
	}
}

// What waits until the one before it of its key is stored holds up nobody else's. What
// has no key passes nothing and is passed by nothing.
func TestPublisherLetsOtherKeysPass(t *testing.T) {
	t.Parallel()
	s := bustest.Run(t)
	js := s.Provisioned(1)
	nc := js.Conn()
	asked := make(chan *nats.Msg, 100)
	if _, err := nc.ChanSubscribe("lonely", asked); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	_, q, start := publisherOf(t, s.Config(1))
	start()
	first := of(9, "call")
	first.Subject = "lonely"
	for _, m := range []bus.Outgoing{first, of(1, "call"), of(0, "another"), of(2, "another"), of(3, ""), of(4, ""), of(5, "third"), of(6, "third")} {
		q.publish(m)
	}
	stored := func() (all string) {
		for _, m := range bustest.Messages(t, js, topology.RTE) {
			all += string(m.Data)
		}
		return all
	}
	bustest.Eventually(t, "those of the other call", func() bool { return len(stored()) == 2 })
	if err := (<-asked).Respond([]byte(`{"stream":"X","seq":7}`)); err != nil {
		t.Fatal(err)
	}
	q.flush(t)
	if got := stored(); got != "0213456" || len(asked) > 0 {
		t.Errorf("stored are %s, and %d were sent more than once", got, len(asked))
	}
}

// A server that takes a message and says nothing: it is sent again, once the
// answer is overdue, and what is stored twice is one.
func TestPublisherRepeatsWhatIsNotAnswered(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := bustest.Run(t)
	js := s.Provisioned(1)
	nc := js.Conn()
	silent, err := nc.QueueSubscribe("lonely", "q", func(*nats.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil { // otherwise nobody may be there yet
		t.Fatal(err)
	}
	p, q, start := publisherOf(t, s.Config(1))
	told := make(chan error, 100)
	p.Connected = func(up bool, err error) {
		if !up {
			told <- err
		}
	}
	start()
	q.publish(outgoing(0, 1))
	lonely := outgoing(1, 2)
	lonely.Subject, lonely.Key = "lonely", "lonely"
	q.publish(lonely)
	for i := 2; i < 10; i++ {
		q.publish(outgoing(i, 1))
	}
	if err := <-told; !errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
		t.Fatalf("told %v", err)
	}
	if n := q.over.Load(); n != 1 {
		t.Errorf("%d are over, want the one before", n)
	}
	if err := silent.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if err := <-told; !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Fatalf("then told %v", err)
	}
	answer := []byte(`{"stream":"X","domain":"d","seq":7}`)
	if _, err := nc.Subscribe("lonely", func(m *nats.Msg) { _ = m.Respond(answer) }); err != nil {
		t.Fatal(err)
	}
	q.flush(t)
	if n := len(bustest.Messages(t, js, topology.RTE)); n != 9 {
		t.Errorf("%d stored, want 9", n)
	}
}
