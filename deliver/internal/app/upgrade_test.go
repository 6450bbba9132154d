package app

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// What an earlier build has left behind, c7df03d. This file in its folder, and
// go test ./internal/app -run EarlierBuild -previous.write FILE, makes another.
const previous = "testdata/previous.jsonl"

var writePrevious = flag.String("previous.write", "", "file to write what this build leaves behind to")

// left is a message, or a key, that was left behind.
type left struct {
	Stream  string
	Made    time.Time // the stream
	Seq     uint64
	Stored  time.Time
	Subject string
	Header  nats.Header `json:",omitempty"`
	Data    string
}

// leaves is everything that can be left: a pop that is open in the snapshot, one
// behind it, one of which nobody knows; a call that is over and a dead letter.
func (r *rig) leaves() {
	r.Helper()
	d := r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane")
	r.say(2, event.Incoming, "", "jane")
	r.until(2)
	r.say(2, event.Ended, "", "jane")
	r.until(3)
	r.fault(`{"match":{"negotiatorId":"TOM"},"times":1,"action":{"status":422}}`)
	r.say(3, event.Incoming, "", "tom")
	r.until(4)
	r.remembered()
	d.stop()
	killed := r.process("one")
	r.say(4, event.Incoming, "", "tom")
	r.until(5)
	shown := len(r.shown())
	r.fault(hanging)
	r.say(5, event.Incoming, "", "jane")
	bustest.Eventually(r, "the last pop", func() bool { return len(r.shown()) > shown })
	_ = killed.Process.Kill()
	_ = killed.Wait() // it was killed: an error is what is expected
}

// write keeps it.
func (r *rig) write(file string) {
	r.Helper()
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, name := range []string{topology.CallLog(0), topology.Calls, topology.Deliveries, topology.DeadLetters, topology.BucketStream(topology.Negotiators)} {
		stream, err := r.js.Stream(r.Context(), name)
		if err != nil {
			r.Fatal(err)
		}
		for _, m := range bustest.Messages(r, r.js, name) {
			err = errors.Join(err, lines.Encode(left{name, stream.CachedInfo().Created, m.Seq, m.Stored, m.Subject, m.Header, string(m.Data)}))
		}
		if err != nil {
			r.Fatal(err)
		}
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) read(file string) map[string][]left {
	r.Helper()
	f, err := os.Open(file)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	all := map[string][]left{}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var l left
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			r.Fatal(err)
		}
		all[l.Stream] = append(all[l.Stream], l)
	}
	return all
}

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`)

// finds puts it there as of just now, or all of it would be long over: every time
// that is stated is moved by as much.
func (r *rig) finds(all map[string][]left) {
	r.Helper()
	logs := all[topology.CallLog(0)]
	by := time.Since(logs[len(logs)-1].Stored)
	for _, l := range logs {
		header, data := l.moved(by)
		if _, err := r.js.PublishMsg(r.Context(), &nats.Msg{Subject: l.Subject, Header: header, Data: data}); err != nil {
			r.Fatal(err)
		}
		var c event.Call
		if err := json.Unmarshal(data, &c); err != nil {
			r.Fatal(err)
		}
		r.sent = append(r.sent, c)
		r.count[c.CallID]++
	}
	r.merged()
	calls, err := r.js.Stream(r.Context(), topology.Calls)
	if err != nil {
		r.Fatal(err)
	}
	was, is := all[topology.Calls][0].Made.Add(by), calls.CachedInfo().Created
	for _, name := range []string{topology.Deliveries, topology.DeadLetters} {
		var messages []bus.Message
		for _, l := range all[name] {
			header, data := l.moved(by)
			data = bytes.ReplaceAll(data, []byte(stamp(was)), []byte(stamp(is))) // a snapshot says of which CALLS it is
			if header.Get("X-Sum") != "" {
				sum := sha256.Sum256(data)
				header.Set("X-Sum", hex.EncodeToString(sum[:]))
			}
			messages = append(messages, bus.Message{Subject: l.Subject, Header: header, Data: data, Seq: l.Seq, Stored: l.Stored.Add(by)})
		}
		r.nats.Restore(r.js, name, slices.Values(messages))
	}
	for _, l := range all[topology.BucketStream(topology.Negotiators)] {
		_, data := l.moved(by)
		if _, err := r.js.Publish(r.Context(), l.Subject, data); err != nil {
			r.Fatal(err)
		}
	}
}

// moved is a message of another time.
func (l left) moved(by time.Duration) (nats.Header, []byte) {
	move := func(s string) string {
		return instant.ReplaceAllStringFunc(s, func(was string) string {
			at, err := time.Parse(time.RFC3339Nano, was)
			if err != nil {
				return was
			}
			return stamp(at.Add(by))
		})
	}
	header := nats.Header{}
	for name, values := range l.Header {
		for _, v := range values {
			header[name] = append(header[name], move(v))
		}
	}
	return header, []byte(move(l.Data))
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// words are what deliver has logged.
func (r *rig) words() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// What an earlier build has left is gone on from: what was shown is not shown
// again, pops that are open are closed, and each event has one outcome in the end;
// also while Reapit does not say who its negotiators are.
func TestStreamsOfAnEarlierBuildAreGoneOnFrom(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	if *writePrevious != "" {
		r.leaves()
		r.write(*writePrevious)
		return
	}
	r.finds(r.read(previous))
	before, letters := len(r.outcomes()), len(r.letters())
	if before != 5 || letters != 1 {
		t.Fatalf("%d outcomes and %d dead letters were left", before, letters)
	}
	log, err := bus.OpenSerialLog(t.Context(), r.js, topology.Deliveries, topology.DeliveryLogPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, whole, err := log.Snapshot(t.Context()); err != nil || !whole {
		t.Fatalf("there is no snapshot: %v", err)
	}
	log.Close()
	r.fault(`{"match":{"path":"/negotiators"},"action":{"status":500}}`)
	r.deliver(r.settings())
	r.say(1, event.Ended, "", "jane")
	r.say(3, event.Ended, "", "tom") // whose pop was refused: there is nothing to close
	r.say(4, event.Ended, "", "tom")
	r.say(5, event.Ended, "", "jane")
	r.say(6, event.Incoming, "", "jane")
	r.until(before + 6)
	shown := brief(r.shown(), "")
	slices.Sort(shown)
	r.want("shown", shown, []string{"endedCall 0001", "endedCall 0004", "endedCall 0005", "incomingCall 0006"})
	r.account()
	if said := r.words(); strings.Contains(said, "starting from") || strings.Contains(said, "passed over") {
		t.Errorf("what was left was not read:\n%s", said)
	}
	if n := len(r.letters()); n != letters {
		t.Errorf("%d dead letters", n)
	}
	if kept := bustest.Messages(t, r.js, topology.BucketStream(topology.Negotiators)); len(kept) == 0 {
		t.Error("nobody knows the negotiators")
	}
}

// A stream that an older version has made takes no batches: deliver says how to change
// that, and does its work meanwhile and when it was done.
func TestOlderStreamOfOutcomesIsWrittenOneByOne(t *testing.T) {
	t.Parallel() // most of it is waiting
	const warning = "outcomes are stored one by one"
	r := newRig(t)
	allow := func(batches bool) {
		t.Helper()
		stream, err := r.js.Stream(t.Context(), topology.Deliveries)
		if err != nil {
			t.Fatal(err)
		}
		cfg := stream.CachedInfo().Config
		cfg.AllowBatchPublish = batches
		if _, err := r.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	allow(false)
	d := r.deliver(r.settings())
	r.logged(warning, "nats stream edit "+topology.Deliveries+" --allow-fast")
	r.say(1, event.Missed, "", "jane", "tom")
	r.until(2)
	d.stop()
	allow(true)
	r.deliver(r.settings())
	r.say(2, event.Missed, "", "jane", "tom")
	r.until(4)
	if n := r.lines(warning); n != 1 {
		t.Errorf("warned %d times, want once", n)
	}
}
