// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// What the pipeline is compared with: processes that carry as many messages of
// the same sizes through as many streams, and know nothing of them. All are the
// test binary under another name.
const (
	asGenerator = "E2E_IS_GENERATOR_TO"
	asHop       = "E2E_IS_HOP_OF"
	asPoster    = "E2E_IS_POSTER_OF"
	asReceiver  = "E2E_IS_RECEIVER_AT"
	ringSample  = "E2E_SAMPLE"
	ringHop     = "E2E_HOP"
	ringTo      = "E2E_POST_TO"
	ringGo      = "ring.go"
	// streamSource is what the server adds to what one stream takes from another.
	streamSource = "Nats-Stream-Source"
)

// hopStreams are like RTE, a log of call events, and CALLS.
var hopStreams = []string{"HOP1", "HOP2", "HOP3"}

// hopSubject stands for the first part of a subject.
func hopSubject(hop int) string { return "hop" + strconv.Itoa(hop) }

// burst is what a generator is told.
type burst struct {
	EventType string
	Calls     []string
}

func sampleOf() (all map[string]copied) {
	b, err := os.ReadFile(os.Getenv(ringSample))
	must(err)
	must(json.Unmarshal(b, &all))
	for _, c := range all {
		for _, s := range []sampled{c.Raw, c.Logged, c.Merged} {
			neutral(s.Header)
		}
	}
	return all
}

// neutral gives headers by which the server would act, for the stream that they
// are of, a name of the same length that says nothing to it.
func neutral(h nats.Header) {
	for _, name := range []string{jetstream.ExpectedLastSeqHeader, streamSource, jetstream.MsgIDHeader} {
		if value, there := h[name]; there {
			delete(h, name)
			h["Bare"+name[4:]] = value
		}
	}
}

func hopJetStream(url string) jetstream.JetStream {
	nc, err := bus.Connect(context.Background(), bus.Config{URL: url}, "relay", slog.New(slog.DiscardHandler))
	must(err)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { must(err) }))
	must(err)
	return js
}

// carry publishes what a stream would hold of an event of a call.
func carry(js jetstream.JetStream, hop int, eventType, id string, s sampled, made string) {
	header := maps.Clone(s.Header)
	header["ce-time"] = []string{made}
	subject := hopSubject(hop) + "." + eventType + s.Subject[strings.Index(s.Subject, "."):strings.LastIndex(s.Subject, ".")+1] + id
	_, err := js.PublishMsgAsync(&nats.Msg{Subject: subject, Header: header, Data: s.Data}, jetstream.WithStallWait(time.Minute))
	must(err)
}

// generate publishes to the first stream when it is told to.
func generate(url string) {
	js, sample := hopJetStream(url), sampleOf()
	_, err := js.Conn().Subscribe(ringGo, func(m *nats.Msg) {
		var what burst
		must(json.Unmarshal(m.Data, &what))
		raw := sample[what.EventType].Raw
		delete(raw.Header, "Bare"+jetstream.MsgIDHeader[4:])
		for _, id := range what.Calls {
			raw.Header[jetstream.MsgIDHeader] = []string{id + "/" + what.EventType}
			carry(js, 0, what.EventType, id, raw, time.Now().UTC().Format(time.RFC3339Nano))
		}
		must(m.Respond(nil))
	})
	must(err)
	fmt.Print(readerReady)
	select {}
}

// hop copies one stream to the next.
func hop(url string) {
	js, sample := hopJetStream(url), sampleOf()
	from, err := strconv.Atoi(os.Getenv(ringHop))
	must(err)
	next := func(c copied) sampled { return []sampled{c.Logged, c.Merged}[from] }
	fmt.Print(readerReady)
	must(bus.Read(context.Background(), js, hopStreams[from], nil, 0, func(m bus.Message) error {
		part := strings.Split(m.Subject, ".")
		carry(js, from+1, part[1], part[len(part)-1], next(sample[part[1]]), m.Header.Get("ce-time"))
		return nil
	}))
}

// postBare POSTs nothing for each message of the last stream.
func postBare(url string) {
	js, to := hopJetStream(url), os.Getenv(ringTo)
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	fmt.Print(readerReady)
	must(bus.Read(context.Background(), js, hopStreams[2], nil, 0, func(m bus.Message) error {
		part := strings.Split(m.Subject, ".")
		go func() {
			response, err := client.Post(to+"/"+part[1]+"/"+part[len(part)-1], "", nil)
			must(err)
			_, err = io.Copy(io.Discard, response.Body)
			must(err)
			must(response.Body.Close())
		}()
		return nil
	}))
}

// receive notes when what arrived.
func receive(addr string) {
	var mu sync.Mutex
	got := map[string][]received{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{type}/{call}", func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		got[r.PathValue("type")] = append(got[r.PathValue("type")], received{now, r.PathValue("call"), http.StatusAccepted})
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		must(json.NewEncoder(w).Encode(got))
	})
	must(http.ListenAndServe(addr, mux))
}

// bareRinger is the relay, and who drives it.
type bareRinger struct {
	*world
	js       jetstream.JetStream
	programs map[string]*program
	rung     int
}

func newBareRinger(t testing.TB, sample string) *bareRinger {
	t.Helper()
	r := &bareRinger{world: newBus(t)}
	r.js = r.jetStream()
	if err := bus.Create(t.Context(), r.js, topology.Layout{Partitions: topology.DefaultPartitions, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	for hop, like := range []string{topology.RTE, topology.CallLog(0), topology.Calls} {
		r.streamLike(hop, like)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	receiver := r.self("receiver", asReceiver+"="+addr)
	receiver.url = "http://" + addr
	r.eventually(time.Minute, "the receiver", func() bool { return r.ask(receiver.url, nil) == nil })
	r.programs = map[string]*program{
		"NATS": r.nats, "generator": r.self("generator", asGenerator+"="+r.nats.url, ringSample+"="+sample),
		"first hop":  r.self("hop1", asHop+"="+r.nats.url, ringSample+"="+sample, ringHop+"=0"),
		"second hop": r.self("hop2", asHop+"="+r.nats.url, ringSample+"="+sample, ringHop+"=1"),
		"poster":     r.self("poster", asPoster+"="+r.nats.url, ringTo+"="+receiver.url), "receiver": receiver,
	}
	for _, name := range []string{"generator", "first hop", "second hop", "poster"} {
		r.eventually(time.Minute, name, func() bool { return r.programs[name].said(readerReady) })
	}
	return r
}

// streamLike makes the stream of a hop with the settings of one of the contract's.
func (r *bareRinger) streamLike(hop int, name string) {
	r.t.Helper()
	like, err := r.js.Stream(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := like.CachedInfo().Config
	cfg.Name, cfg.Subjects, cfg.Sources = hopStreams[hop], []string{hopSubject(hop) + ".>"}, nil
	if _, err := r.js.CreateStream(r.t.Context(), cfg); err != nil {
		r.t.Fatal(err)
	}
}

func (r *bareRinger) processes() map[string]*program { return r.programs }

func (r *bareRinger) send(eventType string, calls []string) {
	b, err := json.Marshal(burst{eventType, calls})
	if err == nil {
		_, err = r.js.Conn().Request(ringGo, b, time.Minute)
	}
	if err != nil {
		r.t.Error(err)
	}
}

func (r *bareRinger) received() (got map[string][]received) {
	r.t.Helper()
	r.get(r.programs["receiver"].url, &got)
	return got
}

func (r *bareRinger) await(calls int) {
	r.t.Helper()
	r.rung += calls
	r.eventually(time.Minute, "every POST", func() bool {
		n := 0
		for _, posts := range r.received() {
			n += len(posts)
		}
		return n >= len(callEvents)*r.rung
	})
}

func (r *bareRinger) passages(calls []string) []passage {
	r.t.Helper()
	var hops [3]map[string]bus.Message
	for hop, stream := range hopStreams {
		hops[hop] = r.each(stream, hopSubject(hop)+"."+rings+".>", nil)
	}
	return r.assemble(calls, hops[0], hops[1], hops[2], r.received()[rings], false)
}

// end ends everything.
func (r *bareRinger) end() {
	for _, p := range r.programs {
		p.kill()
	}
}
