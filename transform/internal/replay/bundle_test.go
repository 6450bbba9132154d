package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/bundle"
)

// privates are what the rig's people are called and rung up at, in every
// spelling that is in its messages.
var privates = []string{"911123456", "9460000", "jane@", "tom@", "Private", "JAS", "GOGO", "Mill Lane", "hunter2", "01632960199"}

// business is a morning with all that a bundle may have in it: texts, outcomes,
// dead letters, what nobody can read, ids that are none.
func (r *rig) business() {
	r.Helper()
	r.publish(topology.Feed("a", "opened"), nil, []byte("no CloudEvent of jane@agency.example"))
	r.morning()
	r.raw(agencyOrg, answered, "UserCallInCallbackCreated", jane, "contactMessage", "Jane Private, Mill Lane, 01632960199", "contactNumber", "0044 (0)7911 123456")
	r.odd(agencyOrg, "", "UserAlert", jane, map[string]any{"callId": nil, "conditionValue": "jane@agency.example", "pin": "hunter2", "mobile": 447911123456, "+447911123456": 1})
	r.raw(agencyOrg, "Call of Jane Private", "UserCallInUserAllocated", "Jane Private", "callerNumber", "07911 123456", "username", "Jane Private")
	r.odd(agencyOrg, "Call of Jane Private", "UserCallInDisconnected", "Jane Private", map[string]any{"reason": "remote", "username": "Jane Private", "id": nil})
	<-time.After(2 * quick.Settle)
	r.beat()
	now := time.Now().UTC()
	o, err := event.NewOutcome(event.Outcome{
		EventID: answered + "/1", CallID: answered, OrganizationID: agencyOrg, Customer: "RES-GOGO", NegotiatorID: "JAS", Type: event.Incoming,
		Users:   []event.User{{UserID: jane, UserName: "jane@agency.example"}},
		SubType: "incomingCall", Outcome: event.Rejected, Cause: "rejected", Reason: "callerId 07911123456 of jane@agency.example", FinishedAt: now,
	}, "")
	r.event(topology.Delivery("RES-GOGO", "JAS", "rejected", answered), o, err)
	l, err := event.NewDeadLetter(event.DeadLetter{
		Service: "deliver", Reason: "rejected", Detail: "Jane Private", At: now, EventID: answered + "/1", CallID: answered, Customer: "RES-GOGO", NegotiatorID: "JAS",
		Request: json.RawMessage(`{"payload":{"callerId":"07911123456","destinationId":"02079460000","answeredById":"JAS"},"targets":{"negotiatorId":["JAS"]}}`),
		Errors:  []event.FieldError{{Field: "callerId", Message: "07911123456"}},
	}, answered+"/1/JAS", "")
	r.event(topology.DeadLetter("deliver", "rejected"), l, err)
	l, err = event.NewDeadLetter(event.DeadLetter{Service: "ingest", Reason: "unreadable", Detail: "jane@", At: now, Body: []byte("Jane Private")}, "sha256-1", "")
	r.event(topology.DeadLetter("ingest", "unreadable"), l, err)
}

func plain(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// told is what run prints of a bundle, or of a server where there is none.
func (r *rig) lines(args ...string) []string {
	r.Helper()
	out, errs, code := r.replay(append([]string{"run", "-o", "json"}, args...)...)
	if code != Clean {
		r.Fatalf("run %v: exit %d, %s", args, code, errs)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// shape is a call event without what an alias may change.
func shape(t *testing.T, line string) string {
	t.Helper()
	var e event.Call
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(e.CallID, "call of") || !slices.Contains([]string{answered, missed, outgoing, later}, e.CallID) {
		e.CallID = "?"
	}
	users := make([]string, 0, len(e.Audience))
	for _, u := range e.Audience {
		users = append(users, fmt.Sprint(len(u.UserID) == 36 && (u.UserID == jane || u.UserID == tom)))
	}
	return fmt.Sprint(e.EventID(), e.Type, e.OccurredAt, e.RecordedAt, e.CallerWithheld, len(call.Digits(e.Caller)), len(call.Digits(e.Called)), e.HuntGroup, users, e.Coverage, e.Inferred)
}

func shapes(t *testing.T, lines []string) (all []string) {
	for _, l := range lines {
		all = append(all, shape(t, l))
	}
	return all
}

// A bundle, exported on one server and imported into another, gives there the
// same call events, and nobody's name or number is in it.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"alias", "real"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.business()
			r.transformed()
			file := filepath.Join(t.TempDir(), "all.bundle")
			args := []string{"export", "--since", "1h", "-o", file}
			if mode == "real" {
				args = append(args, "--real")
			}
			out, errs, code := r.replay(args...)
			if code != Clean || errs != "" || !strings.Contains(out, "4 calls, RTE 1") || !strings.Contains(out, "DELIVERIES 1, DEADLETTERS 2") {
				t.Fatalf("exit %d, %q, %q", code, out, errs)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("others may read it: %v %v", info.Mode(), err)
			}
			text := plain(t, file)
			for _, private := range privates {
				if found := strings.Contains(digitsJoined(text), private); found != (mode == "real") {
					t.Errorf("%q is in the bundle: %v", private, found)
				}
			}
			here, bundled := r.lines(), r.lines(file)
			if got, want := shapes(t, bundled), shapes(t, here); !slices.Equal(got, want) {
				t.Errorf("of the bundle come\n%s\nof RTE\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if mode == "real" && !slices.Equal(bundled, here) {
				t.Errorf("of the bundle come\n%s\nof RTE\n%s", strings.Join(bundled, "\n"), strings.Join(here, "\n"))
			}

			other := &rig{T: t, server: bustest.Run(t)}
			out, errs, code = other.replay("import", file, "--into", other.server.URL())
			if code != Clean || errs != "" {
				t.Fatalf("exit %d, %q, %q", code, out, errs)
			}
			other.js = other.server.JetStream("other")
			if got := other.lines(); !slices.Equal(got, bundled) {
				t.Errorf("imported, they are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(bundled, "\n"))
			}
			if out, errs, code := other.replay("diff"); code != Clean {
				t.Errorf("diff: exit %d\n%s%s", code, out, errs)
			}
			if n := len(bustest.Messages(t, other.js, topology.DeadLetters)); n != 2 {
				t.Errorf("%d dead letters", n)
			}
			if _, errs, code := other.replay("import", file); code != Trouble || !strings.Contains(errs, "stream is not empty: RTE has had") {
				t.Errorf("a second time: exit %d, %q", code, errs)
			}
		})
	}
}

var apart = regexp.MustCompile(`(\d)[ ()/.-]+(\d)`)

// digitsJoined shows numbers that separators hide.
func digitsJoined(s string) string { return s + apart.ReplaceAllString(s, "$1$2") }

// Of one call nothing else is in a bundle, but what carried the clock on when
// the fold told something of it.
func TestExportOneCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.raw(agencyOrg, later, "UserCallInUserAllocated", jane)
	r.raw(agencyOrg, later, "UserCallInDisconnected", jane, "reason", "remote")
	<-time.After(2 * quick.Settle)
	for range 3 { // no heartbeat: another call's event fires the timer, whatever its partition
		r.raw(agencyOrg, answered, "UserCallInRecordingConverted", jane)
		r.raw(otherOrg, missed, "UserCallInRecordingConverted", tom)
		r.raw(agencyOrg, outgoing, "UserCallOutRecordingConverted", tom)
	}
	r.transformed()
	for _, id := range []string{answered, missed, outgoing, later} {
		file := filepath.Join(t.TempDir(), "call.bundle")
		if out, errs, code := r.replay("export", "--call", strings.ToUpper(id), "-o", file); code != Clean || errs != "" {
			t.Fatalf("exit %d, %q, %q", code, out, errs)
		}
		if got, want := shapes(t, r.lines(file)), shapes(t, r.lines("--call", id)); !slices.Equal(got, want) {
			t.Errorf("of the bundle come\n%s\nof RTE\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		text := plain(t, file)
		for _, stranger := range []string{answered, missed, outgoing, later} {
			if stranger != id && strings.Contains(text, stranger) {
				t.Errorf("the bundle of %s tells of %s", id, stranger)
			}
		}
		if _, errs, code := r.replay("run", file, "-o", "story", "--call", id); code != Clean {
			t.Errorf("its story: exit %d, %q", code, errs)
		}
	}
}

func TestExportAndImportRefuse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.bundle")
	for want, args := range map[string][]string{
		"say what to export":            {"export", "-o", file},
		"name a file":                   {"export", "--call", answered},
		"either --call":                 {"export", "--call", answered, "--since", "1h", "-o", file},
		"RTE holds no event of call":    {"export", "--call", later, "-o", file},
		"RTE holds no event stored bef": {"export", "--since", "2020-01-01", "--until", "2020-01-02", "-o", file},
		"nats.example is not on this":   {"import", file, "--into", "nats://nats.example:4222"},
		"192.0.2.1 is not on this mach": {"import", file, "--into", "nats://127.0.0.1:4222,192.0.2.1"},
		"no such file":                  {"import", file},
	} {
		if _, errs, code := r.replay(args...); code != Trouble || !strings.Contains(errs, want) {
			t.Errorf("%v: exit %d, %q", args, code, errs)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Of two imports at the same time one is whole and the other refused.
func TestTwoImportsAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	file := filepath.Join(t.TempDir(), "x.bundle")
	if _, errs, code := r.replay("export", "--since", "1h", "-o", file); code != Clean {
		t.Fatal(errs)
	}
	other := &rig{T: t, server: bustest.Run(t)}
	other.js = other.server.Provisioned(partitions)
	codes := make(chan int)
	for range 2 {
		go func() {
			_, _, code := other.replay("import", file)
			codes <- code
		}()
	}
	if a, b := <-codes, <-codes; a+b != Trouble {
		t.Errorf("exit %d and %d", a, b)
	}
	if out, errs, code := other.replay("diff"); code != Clean {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// An import that ends half way says what is left, and what to do.
func TestImportEndsHalfWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	r.deliveries().end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	dir := t.TempDir()
	file, bad := filepath.Join(dir, "x.bundle"), filepath.Join(dir, "bad.bundle")
	if _, errs, code := r.replay("export", "--since", "1h", "-o", file); code != Clean {
		t.Fatal(errs)
	}
	text := regexp.MustCompile(`"subject":"deliveries\.[^"]*"`).ReplaceAllString(plain(t, file), `"subject":"deliveries"`) // which no stream takes
	if err := os.WriteFile(bad, zipped(t, text), 0o600); err != nil {
		t.Fatal(err)
	}
	other := &rig{T: t, server: bustest.Run(t)}
	const half = "; the server is half filled now: begin again with an empty one (make run ARGS=-empty)\n"
	if _, errs, code := other.replay("import", bad); code != Trouble || !strings.HasSuffix(errs, half) || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit %d, %q", code, errs)
	}
	if _, errs, code := other.replay("import", file); code != Trouble || strings.Contains(errs, half) {
		t.Errorf("of what wrote nothing: exit %d, %q", code, errs)
	}
}

var callsSubject = regexp.MustCompile(`"subject":"calls\.[^"]*"`)

// What is not whole, or no bundle, is refused before anything is written.
func TestDamagedBundles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	file := filepath.Join(t.TempDir(), "x.bundle")
	if _, errs, code := r.replay("export", "--since", "1h", "-o", file); code != Clean {
		t.Fatal(errs)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := plain(t, file)
	lines := strings.SplitAfter(text, "\n")
	other := &rig{T: t, server: bustest.Run(t)}
	for want, bytes := range map[string][]byte{
		"gzip":                       []byte("a file of another kind"),
		"it is cut off":              whole[:len(whole)-20],
		"a bundle: it is cut off":    zipped(t, strings.Join(lines[:len(lines)-2], "")),
		"messages of RTE, not":       zipped(t, lines[0]+strings.Join(lines[2:], "")),
		"more stands behind its end": zipped(t, text+"{}\n"),
		"it has version 7":           zipped(t, strings.Replace(text, `"version":1`, `"version":7`, 1)),
		"follow contract 2":          zipped(t, strings.Replace(text, `"contract":"1"`, `"contract":"2"`, 1)),
		"it has 999 partitions":      zipped(t, strings.Replace(text, `"partitions":2`, `"partitions":999`, 1)),
		"it says to be":              zipped(t, strings.Replace(text, bundle.Format, "tar", 1)),
		"invalid duration":           zipped(t, strings.Replace(text, quick.Ring.String(), "soon", 1)),
		`of "$JS.API.STREAM.DELETE.`: zipped(t, strings.Replace(text, `"subject":"feed.`, `"subject":"$JS.API.STREAM.DELETE.`, 1)),
		`of "calls." for stream`:     zipped(t, callsSubject.ReplaceAllString(text, `"subject":"calls."`)),
		`for stream "CALL_LOG_0"`:    zipped(t, strings.Replace(text, `"stream":"RTE"`, `"stream":"CALL_LOG_0"`, 1)),
	} {
		bad := filepath.Join(t.TempDir(), "bad.bundle")
		if err := os.WriteFile(bad, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		_, errs, code := other.replay("import", bad)
		if code != Trouble || !strings.Contains(errs, want) || !strings.HasSuffix(errs, "import takes what replay export has written\n") || strings.Count(errs, "\n") != 1 {
			t.Errorf("want %q: exit %d, %q", want, code, errs)
		}
	}
	if _, errs, _ := other.replay("run"); !strings.Contains(errs, bus.ErrMissing.Error()) {
		t.Errorf("something was made: %q", errs)
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The version that a bundle names is the contract's.
func TestBundleNamesTheContract(t *testing.T) {
	b, err := os.ReadFile("../../../schemas/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("\n  version: "+bundle.Contract+".")) {
		t.Errorf("the contract has another version than %s", bundle.Contract)
	}
}

// An office at work is folded to the same events, aliases aside, and nobody of
// it is in what was made of it.
func TestAliasesOfAnOffice(t *testing.T) {
	office, p := bustest.NewOffice(7, 20, partitions), bundle.NewPseudonyms([]byte("a key"), partitions)
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	limits := call.DefaultLimits()
	real, alias := NewRefold(partitions, limits), NewRefold(partitions, limits)
	random := rand.New(rand.NewPCG(7, 7))
	events := 0
	for seq := range uint64(3000) {
		at = at.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		m := office.Next(at, 10)
		m.Seq = seq + 1
		was, _ := event.ParseRaw(m.Data)
		got, err := p.Message(topology.RTE, bus.Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Seq: m.Seq, Stored: m.Stored})
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(got.Subject, got.Header, string(got.Data))
		for _, private := range []string{was.CallerNumber, was.TargetNumber, was.UserNumber, was.UserName} {
			if strings.Contains(text, private) {
				t.Fatalf("%s is in %s", private, text)
			}
		}
		_, want := real.Take(m)
		_, have := alias.Take(got)
		if len(have) != len(want) {
			t.Fatalf("message %d: %d events, want %d", m.Seq, len(have), len(want))
		}
		for i, w := range want {
			events++
			w, err := w.Encoded()
			if err != nil {
				t.Fatal(err)
			}
			h, err := have[i].Encoded()
			if err != nil {
				t.Fatal(err)
			}
			// The alias of what CALLS has is what comes of the aliases.
			held, err := p.Message(topology.Calls, bus.Message{Subject: "calls." + w.Call.CallID, Header: w.Header, Data: w.Body})
			if err != nil || string(held.Data) != string(h.Body) || fmt.Sprint(held.Header) != fmt.Sprint(h.Header) {
				t.Fatalf("%v\nfolded:  %v %s\nof CALLS: %v %s", err, h.Header, h.Body, held.Header, held.Data)
			}
		}
	}
	if events < 1000 || real.Unreadable+alias.Unreadable > 0 {
		t.Errorf("%d events, %d and %d messages unreadable", events, real.Unreadable, alias.Unreadable)
	}
}
