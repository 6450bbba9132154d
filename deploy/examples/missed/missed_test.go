package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// beTheProgram makes the test's binary the program itself, to be killed.
const beTheProgram = "MISSED_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		main()
	}
	bustest.Main(m)
}

// bench is a server with call events.
type bench struct {
	*testing.T
	server *bustest.Server
	log    *bus.Log
	file   string
	n      int
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, server: bustest.Run(t), file: filepath.Join(t.TempDir(), "missed.csv")}
	b.open(b.server.Provisioned(1))
	return b
}

// open takes over the log of the call events.
func (b *bench) open(js jetstream.JetStream) {
	b.Helper()
	var err error
	if b.log, err = bus.OpenLog(b.Context(), js, topology.CallLog(0), topology.CallLogPrefix(0)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(b.log.Close)
}

const organization = "29f6e823-b484-e611-80c9-00505689257e"

// tell puts a call event into CALLS.
func (b *bench) tell(kind event.CallType, alter ...func(*event.Call)) {
	b.Helper()
	b.n++
	c := event.Call{
		CallID: fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", b.n), OrganizationID: organization, Type: kind, Direction: event.Inbound, Sequence: 2,
		OccurredAt: time.Date(2026, 11, 2, 9, 12, 31, 0, time.UTC), Caller: "+447700900123", Called: "+441632960001",
		Audience: []event.User{{UserID: "aa", UserName: "jane@agency.example"}, {UserID: "bb", UserName: "tom@agency.example"}},
	}
	for _, f := range alter {
		f(&c)
	}
	header, body, err := event.EncodeCall(c, c.CallID, "")
	if err != nil {
		b.Fatal(err)
	}
	if err := b.log.Append(topology.CallEvent(0, organization, string(kind), c.CallID), header, body, bus.Position{In: uint64(b.n)}); err != nil {
		b.Fatal(err)
	}
	if err := b.log.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// start runs the program here until stop is called.
func (b *bench) start(args ...string) (stop func() (code int, said string)) {
	ctx, cancel := context.WithCancel(b.Context())
	var problems bytes.Buffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, append([]string{"-nats", b.server.URL(), "-o", b.file}, args...), &problems) }()
	return func() (int, string) { cancel(); return <-code, problems.String() }
}

// rows are those of the file, without the columns' names.
func (b *bench) rows() [][]string {
	b.Helper()
	f, err := os.Open(b.file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil // being written
	}
	return rows[1:]
}

func (b *bench) await(n int) {
	b.Helper()
	bustest.Eventually(b, fmt.Sprint(n, " rows"), func() bool { return len(b.rows()) >= n })
}

func TestMissedCallsAndNothingElse(t *testing.T) {
	b := newBench(t)
	b.tell(event.Incoming)
	b.tell(event.Missed)
	stop := b.start()
	b.await(1)
	b.tell(event.Ended)
	b.tell(event.Missed, func(c *event.Call) { c.Caller, c.CallerWithheld, c.Audience = "", true, nil })
	b.tell(event.Missed, func(c *event.Call) { c.Caller = "=cmd|' /C calc'!A0\r\n1" })
	b.await(3)
	if code, said := stop(); code != clean || said != "" {
		t.Errorf("exit %d, %q", code, said)
	}
	got, err := os.ReadFile(b.file)
	want := `event_id,occurred_at,organization_id,call_id,caller,called,told
0f6e4c1a-93d2-4b7e-8a61-000000000002/2,2026-11-02T09:12:31Z,29f6e823-b484-e611-80c9-00505689257e,0f6e4c1a-93d2-4b7e-8a61-000000000002,+447700900123,+441632960001,jane@agency.example tom@agency.example
0f6e4c1a-93d2-4b7e-8a61-000000000004/2,2026-11-02T09:12:31Z,29f6e823-b484-e611-80c9-00505689257e,0f6e4c1a-93d2-4b7e-8a61-000000000004,,+441632960001,
0f6e4c1a-93d2-4b7e-8a61-000000000005/2,2026-11-02T09:12:31Z,29f6e823-b484-e611-80c9-00505689257e,0f6e4c1a-93d2-4b7e-8a61-000000000005,'=cmd|' /C calc'!A0  1,+441632960001,jane@agency.example tom@agency.example
`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot:\n%s\nwant:\n%s", err, got, want)
	}
}

// Who loses the place, too, gets every call again, and writes none twice.
func TestConsumerIsLost(t *testing.T) {
	b := newBench(t)
	b.tell(event.Missed)
	b.tell(event.Missed)
	stop := b.start()
	b.await(2)
	stop()
	if err := b.server.JetStream("operator").DeleteConsumer(t.Context(), topology.Calls, "missed-calls"); err != nil {
		t.Fatal(err)
	}
	b.tell(event.Missed)
	stop = b.start()
	b.await(3)
	stop()
	if rows := b.rows(); len(rows) != 3 {
		t.Errorf("%d rows: %v", len(rows), rows)
	}
}

func TestMasked(t *testing.T) {
	b := newBench(t)
	b.tell(event.Missed)
	b.tell(event.Missed, func(c *event.Call) { c.Caller = "sip:201@pbx" })
	b.tell(event.Missed, func(c *event.Call) { c.Caller = "" })
	stop := b.start("-mask")
	b.await(3)
	stop()
	for i, want := range []string{"…123", "…", ""} {
		if row := b.rows()[i]; row[4] != want || row[5] != "…001" {
			t.Errorf("row %d: %v", i, row)
		}
	}
}

// The program dies by kill -9 again and again, in the middle of a row too; no
// call is lost and none is there twice.
func TestKilled(t *testing.T) {
	const kills, each = 3, 600
	b := newBench(t)
	for range kills * each {
		b.tell(event.Missed)
	}
	for n := range kills {
		cmd := b.program(b.server.URL())
		b.await(n*each + 10)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it says that it was killed
		if n := len(b.rows()); n == b.n {
			t.Fatalf("it had written all %d rows before it was killed", n)
		}
		b.tear()
	}
	b.program(b.server.URL())
	b.await(kills * each)
	b.tell(event.Missed)
	b.await(kills*each + 1)
	ids := make([]string, 0, b.n)
	for _, row := range b.rows() {
		ids = append(ids, row[0])
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) != b.n {
		t.Errorf("%d rows of %d calls, in order %v:\n%s", len(ids), b.n, slices.IsSorted(ids), strings.Join(ids, "\n"))
	}
}

// tear leaves the last row as a kill in the middle of writing it does, if it
// was not acknowledged then.
func (b *bench) tear() {
	b.Helper()
	f, err := os.OpenFile(b.file, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(`0f6e4c1a-93d2-4b7e-8a61-0000`)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		b.Fatal(err)
	}
}

// program runs it as a process of its own, which ends with the test.
func (b *bench) program(url string, env ...string) *exec.Cmd {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-nats", url, "-o", b.file)
	cmd.Env, cmd.Stderr = append(append(os.Environ(), beTheProgram+"=1"), env...), os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestRefusals(t *testing.T) {
	b := newBench(t)
	stop := b.start()
	bustest.Eventually(t, "the file", func() bool { _, err := os.Stat(b.file); return err == nil && b.rows() != nil })
	if code, said := b.start("-durable", "another")(); code != failure || !strings.Contains(said, "another process writes it") {
		t.Errorf("exit %d, %q", code, said)
	}
	stop()
	for want, args := range map[string][]string{"unknown argument": {"now"}, "not defined": {"-fast"}} {
		if code, said := b.start(args...)(); code != badUsage || !strings.Contains(said, want) {
			t.Errorf("%v: exit %d, %q", args, code, said)
		}
	}
	if err := os.WriteFile(b.file, []byte("no \"CSV\nat all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := b.start()(); code != failure || !strings.Contains(said, "open rows of") {
		t.Errorf("exit %d, %q", code, said)
	}
}

// What is no call event holds up nothing.
func TestForeignMessages(t *testing.T) {
	b := newBench(t)
	js := b.server.JetStream("foreign")
	if _, err := js.Publish(t.Context(), topology.CallEvent(0, organization, "missed", "x"), []byte("no call")); err != nil {
		t.Fatal(err)
	}
	log, err := bus.OpenLog(t.Context(), js, topology.CallLog(0), topology.CallLogPrefix(0))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b.log = log
	b.tell(event.Missed)
	stop := b.start()
	b.await(1)
	if code, _ := stop(); code != clean || len(b.rows()) != 1 {
		t.Errorf("exit %d, %v", code, b.rows())
	}
}

// The user who may read CALLS, and nothing else, may all that it needs.
func TestLeastPrivilege(t *testing.T) {
	server := bustest.RunGuarded(t, 1)
	b := &bench{T: t, server: server, file: filepath.Join(t.TempDir(), "missed.csv")}
	b.open(server.Provisioned(1))
	b.tell(event.Missed)
	me := server.As("subscriber", 1)
	b.program(strings.Replace(me.URL, "://", "://"+me.User+":"+me.Password+"@", 1), "SSL_CERT_FILE="+me.CA)
	b.await(1)
	b.tell(event.Missed)
	b.await(2)
	consumer, err := server.JetStream("operator").Consumer(t.Context(), topology.Calls, "missed-calls")
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "acknowledgements", func() bool {
		info, err := consumer.Info(t.Context())
		return err == nil && info.AckFloor.Consumer == 2
	})
}
