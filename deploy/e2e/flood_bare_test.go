// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
)

// What ingest is compared with: processes that do one half of its work and
// nothing else, or both halves and nothing between them. All are the test binary
// under another name.
const (
	asReader       = "E2E_IS_READER_OF_HUB"
	asRelay        = "E2E_IS_RELAY_OF_HUB"
	asPublisher    = "E2E_IS_PUBLISHER_TO"
	readerReady    = "subscribed\n"
	readerDone     = "read everything\n"
	publisherReady = "flood.ready"
	publisherGo    = "flood.go"
	// window is how many messages ingest's publisher has in flight, too.
	window = 256
)

const recordEnd = 0x1e

// readBare throws away what comes, once it is cut into records.
func readBare(hub string) {
	want := wanted()
	hearBare(hub, func(n int, _ []byte) {
		if n == want {
			fmt.Print(readerDone)
		}
	})
}

func wanted() int {
	n, err := strconv.Atoi(os.Getenv("E2E_MESSAGES"))
	must(err)
	return n
}

// relayBare publishes what comes to a stream like RTE, each with an id of its
// own, under as many subjects as there are calls, and otherwise with the headers
// of what ingest stored first: it keeps nothing, repeats nothing and knows
// nothing of what it carries.
func relayBare(hub string) {
	nc, err := nats.Connect(os.Getenv("E2E_NATS"))
	must(err)
	js := pipelined(nc)
	streamLike(js, "RELAY", "relay.>")
	rte, err := js.Stream(context.Background(), "RTE")
	must(err)
	like, err := rte.GetMsg(context.Background(), 1, jetstream.WithGetMsgSubject("rte.>"))
	must(err)
	subject := "relay" + strings.TrimPrefix(like.Subject[:strings.LastIndex(like.Subject, ".")], "rte") + "."
	want := wanted()
	hearBare(hub, func(n int, record []byte) {
		_, argument, _ := bytes.Cut(record, []byte(`"arguments":[`))
		header := maps.Clone(like.Header)
		header[jetstream.MsgIDHeader] = []string{like.Header.Get(jetstream.MsgIDHeader) + strconv.Itoa(n)}
		_, err := js.PublishMsgAsync(&nats.Msg{Subject: subject + strconv.Itoa(n%(want/perCall)), Header: header, Data: bytes.Clone(bytes.TrimSuffix(argument, []byte("]}")))}, jetstream.WithStallWait(time.Minute))
		must(err)
		if n == want {
			<-js.PublishAsyncComplete()
			fmt.Print(readerDone)
		}
	})
}

// pipelined has as much in flight as ingest. What is not stored ends the process,
// which would else be the faster for it.
func pipelined(nc *nats.Conn) jetstream.JetStream {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(window),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { must(err) }))
	must(err)
	return js
}

// streamLike makes a stream with the settings of RTE.
func streamLike(js jetstream.JetStream, name, subjects string) {
	ctx := context.Background()
	rte, err := js.Stream(ctx, "RTE")
	must(err)
	like := rte.CachedInfo().Config
	like.Name, like.Subjects = name, []string{subjects}
	_, err = js.CreateStream(ctx, like)
	must(err)
}

// hearBare subscribes, and hands over each message and its number.
func hearBare(hub string, heard func(n int, record []byte)) {
	ctx := context.Background()
	ws := connectBare(ctx, hub)
	write := func(record string) { must(ws.Write(ctx, websocket.MessageText, append([]byte(record), recordEnd))) }
	write(`{"protocol":"json","version":1}`)
	write(`{"type":1,"invocationId":"1","target":"Subscribe","arguments":[[{"EntityId":"` + os.Getenv("E2E_USER") + `","EventName":"UserCallInComing"}]]}`)
	go func() {
		for range time.Tick(10 * time.Second) {
			write(`{"type":6}`)
		}
	}()
	for got := 0; ; {
		_, b, err := ws.Read(ctx)
		must(err)
		for record := range bytes.SplitSeq(b, []byte{recordEnd}) {
			switch {
			case bytes.HasPrefix(record, []byte(`{"type":1,`)):
				got++
				heard(got, record)
			case bytes.HasPrefix(record, []byte(`{"type":3,`)):
				fmt.Print(readerReady)
			}
		}
	}
}

func connectBare(ctx context.Context, hub string) *websocket.Conn {
	var grant struct{ WssEndpoint, Token string }
	fetch(ctx, http.MethodGet, hub+"/token/me/rte/", func(r *http.Request) { r.SetBasicAuth("demo@agency.example", "demo-secret") }, &grant)
	endpoint := "http" + strings.TrimPrefix(strings.TrimPrefix(grant.WssEndpoint, "http"), "ws")
	admission := http.Header{"Authorization": {"Bearer " + grant.Token}}
	var negotiated struct{ ConnectionToken string }
	fetch(ctx, http.MethodPost, endpoint+"/negotiate?negotiateVersion=1", func(r *http.Request) { r.Header = admission }, &negotiated)
	ws, _, err := websocket.Dial(ctx, endpoint+"?id="+negotiated.ConnectionToken, &websocket.DialOptions{HTTPHeader: admission}) //nolint:bodyclose // the library owns the body
	must(err)
	ws.SetReadLimit(16 << 20)
	return ws
}

func fetch(ctx context.Context, method, url string, sign func(*http.Request), into any) {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	must(err)
	sign(request)
	response, err := http.DefaultClient.Do(request)
	must(err)
	defer response.Body.Close()
	must(json.NewDecoder(response.Body).Decode(into))
}

// publishBare reads what is in RTE and publishes it to a stream like it, under
// subjects of the same length, when it is told to.
func publishBare(url string) {
	ctx := context.Background()
	nc, err := nats.Connect(url)
	must(err)
	js := pipelined(nc)
	streamLike(js, "BAR", "bar.>")
	var messages []*nats.Msg
	must(bus.ReadAll(ctx, js, "RTE", []string{"rte.>"}, 0, func(m bus.Message) error {
		messages = append(messages, &nats.Msg{Subject: "bar" + strings.TrimPrefix(m.Subject, "rte"), Header: m.Header, Data: m.Data})
		return nil
	}))
	answer := func(m *nats.Msg) { must(m.Respond(nil)) }
	_, err = nc.Subscribe(publisherReady, answer)
	must(err)
	_, err = nc.Subscribe(publisherGo, func(m *nats.Msg) {
		var last jetstream.PubAckFuture
		for _, message := range messages {
			last, err = js.PublishMsgAsync(message, jetstream.WithStallWait(time.Minute))
			must(err)
		}
		<-last.Ok()
		<-js.PublishAsyncComplete()
		answer(m)
	})
	must(err)
	select {}
}

// must ends a process that the tests started; its log says why.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
