package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The environment is that of all tests, many of which run at a time: who means
// another one, and who has set a variable, runs alone.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"NATS_URL":     "nats://127.0.0.1:1", // whoever forgets to say which server is meant reaches none
		"HTTP_ADDR":    "127.0.0.1:0",
		"RING_TIMEOUT": quick.Ring.String(), "TALK_TIMEOUT": quick.Talk.String(),
		"SETTLE_TIMEOUT": quick.Settle.String(), "CLOSED_MEMORY": quick.Memory.String(),
		"DEADLINE_MISSED": "1s",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	bustest.Main(m)
}

const (
	partitions = 2
	agencyOrg  = "29f6e823-b484-e611-80c9-00505689257e"
	otherOrg   = "11111111-b484-e611-80c9-00505689257e"
	answered   = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"
	missed     = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b31"
	outgoing   = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b32"
	later      = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b33"
	jane       = "aa9730c4-ce86-e611-80c9-00505689257e"
	tom        = "bb9730c4-ce86-e611-80c9-00505689257e"
)

// The limits are short, because the stored time of a test is real time.
var quick = call.Limits{Ring: time.Minute, Talk: time.Minute, Settle: 50 * time.Millisecond, Memory: 200 * time.Millisecond}

// rig is a server with the streams of the contract, and somebody who looks at it.
type rig struct {
	*testing.T
	server *bustest.Server // nil: the one that the environment names
	js     jetstream.JetStream
	n      int
}

func newRig(t *testing.T) *rig {
	s := bustest.Run(t)
	return &rig{T: t, server: s, js: s.Provisioned(partitions)}
}

// main runs the command line on the rig's server, unless it names another one.
func (r *rig) main(ctx context.Context, args []string, io IO) int {
	if r.server != nil {
		args = append([]string{"--server", r.server.URL()}, args...)
	}
	return Main(ctx, args, io)
}

func (r *rig) publish(subject string, header map[string][]string, body []byte) {
	r.Helper()
	if _, err := r.js.PublishMsg(r.Context(), &nats.Msg{Subject: subject, Header: header, Data: body}); err != nil {
		r.Fatal(err)
	}
}

// raw publishes what RTE says of a user's call.
func (r *rig) raw(org, callID, kind, user string, more ...string) {
	r.Helper()
	members := map[string]any{}
	for i := 0; i < len(more); i += 2 {
		members[more[i]] = more[i+1]
	}
	r.odd(org, callID, kind, user, members)
}

// odd publishes what RTE says with members as they are, or without those that are nil.
func (r *rig) odd(org, callID, kind, user string, members map[string]any) {
	r.Helper()
	r.n++
	names := map[string]string{jane: "jane@agency.example", tom: "tom@agency.example"}
	data := map[string]any{
		"id": fmt.Sprintf("c0de0006-7a3b-4c5d-9e8f-%012d", r.n), "eventType": kind, "entityType": "User", "entityId": user, "userId": user,
		"username": names[user], "callId": callID, "organizationId": org, "callerNumber": "+447911123456", "targetNumber": "+442079460000",
	}
	maps.Copy(data, members)
	body, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		r.Fatal(err)
	}
	parsed, err := event.ParseRaw(body)
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(event.NewRaw(parsed, body, "hub.example", parsed.Key(), time.Now(), ""))
	if err != nil {
		r.Fatal(err)
	}
	event.RecordBy(header, "ingest-1")
	key := topology.KeyToken(parsed.Key())
	r.publish(topology.Raw(topology.Partition(key, partitions), org, kind, key), header, body)
}

// event publishes one of ours.
func (r *rig) event(subject string, e cloudevents.Event, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.Fatal(err)
	}
	r.publish(subject, header, body)
}

func (r *rig) beat() {
	r.Helper()
	r.n++
	e, err := event.NewFeed(event.Feed{Instance: "a", Type: event.Heartbeat, Live: true, At: time.Now()}, "test", uint64(r.n))
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.Fatal(err)
	}
	r.publish(topology.Feed("a", "heartbeat"), header, body)
}

// morning is three calls, one of them missed, told by a timer, and a message
// that is none.
func (r *rig) morning() {
	r.beat()
	r.raw(agencyOrg, answered, "UserCallInComing", jane)
	r.raw(agencyOrg, answered, "UserCallInUserAllocated", jane, "userNumber", "201")
	r.raw(otherOrg, missed, "UserCallInUserAllocated", tom, "callerNumber", "anonymous")
	r.raw(agencyOrg, outgoing, "UserCallOutGoing", tom)
	r.publish(topology.Raw(0, agencyOrg, "Unknown", "none"), nil, []byte("no CloudEvent"))
	r.raw(agencyOrg, answered, "UserCallInUserConnected", jane)
	r.raw(agencyOrg, outgoing, "UserCallOutConnected", tom)
	r.raw(agencyOrg, answered, "UserCallInDisconnected", jane, "reason", "local")
	r.raw(agencyOrg, outgoing, "UserCallOutDisconnected", tom)
	r.raw(otherOrg, missed, "UserCallInDisconnected", tom, "reason", "remote")
	<-time.After(2 * quick.Settle) // by the server's clock; then a heartbeat fires the timer
	r.beat()
}

// told is the fold of RTE as it stands.
func (r *rig) told() []Told {
	r.Helper()
	refold := NewRefold(partitions, quick)
	var all []Told
	for _, m := range bustest.Messages(r, r.js, topology.RTE) {
		_, told := refold.Take(m)
		for _, t := range told {
			t, err := t.Encoded()
			if err != nil {
				r.Fatal(err)
			}
			all = append(all, t)
		}
	}
	return all
}

type unobserved struct{}

func (unobserved) Started(int, uint64)                                        {}
func (unobserved) Stepped(int, bus.Message, *fold.Fold, fold.Step)            {}
func (unobserved) Unreadable(int, bus.Message, error)                         {}
func (unobserved) Stored(int, time.Duration)                                  {}
func (unobserved) Emitted(int, fold.Output, bus.Message, map[string][]string) {}

// transform runs the service's own partitions until stop is called.
func (r *rig) transform() (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	var running sync.WaitGroup
	for p := range partitions {
		part := fold.Partition{JS: r.server.JetStream(fmt.Sprint("transform", p)), Number: p, Limits: quick, Log: slog.New(slog.DiscardHandler), Observe: unobserved{}}
		running.Go(func() { _ = part.Run(ctx) })
	}
	return func() { cancel(); running.Wait() }
}

// transformed runs them until CALLS has all that RTE implies.
func (r *rig) transformed() {
	r.Helper()
	want := len(r.told())
	stop := r.transform()
	defer stop()
	r.await(want)
}

func (r *rig) await(n int) {
	r.Helper()
	bustest.Eventually(r, fmt.Sprint(n, " messages in CALLS"), func() bool {
		return len(bustest.Messages(r, r.js, topology.Calls)) >= n
	})
}

// forge fills the logs with what alter makes of the fold, in place of transform.
func (r *rig) forge(alter func([]Told) []Told) {
	r.Helper()
	told := alter(r.told())
	for p := range partitions {
		log, err := bus.OpenLog(r.Context(), r.js, topology.CallLog(p), topology.CallLogPrefix(p))
		if err != nil {
			r.Fatal(err)
		}
		defer log.Close()
		for _, t := range told {
			if t.Partition != p {
				continue
			}
			subject := topology.CallEvent(p, t.Call.OrganizationID, string(t.Call.Type), t.Call.CallID)
			if err := log.Append(subject, t.Header, t.Body, t.At); err != nil {
				r.Fatal(err)
			}
		}
		if err := log.Flush(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
	r.await(len(told))
}

// replay runs the command line.
func (r *rig) replay(args ...string) (out, errs string, code int) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	return r.fed(ctx, "", args...)
}

// fed is replay with standard input.
func (r *rig) fed(ctx context.Context, in string, args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = r.main(ctx, args, IO{In: strings.NewReader(in), Out: &stdout, Err: &stderr, Now: time.Now()})
	return stdout.String(), stderr.String(), code
}

// replay runs the command line where no server is meant, or it names its own.
func replay(ctx context.Context, args ...string) (out, errs string, code int) {
	return new(rig).fed(ctx, "", args...)
}

var (
	moments = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	places  = regexp.MustCompile(`message \d+ of CALLS`)
	clocks  = regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b`)
)

// timeless takes out of an output what is of this run alone: its times, and how
// the server merged the partitions.
func timeless(s string) string {
	s = places.ReplaceAllString(s, "message <n> of CALLS")
	return clocks.ReplaceAllString(moments.ReplaceAllString(s, "<moment>"), "<clock>")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}
