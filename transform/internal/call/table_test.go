package call

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// stepNames are the columns of the tables, as RTE calls them.
var stepNames = [numSteps]string{
	coming: "InComing", arrived: "Arrived", allocated: "UserAllocated", connected: "UserConnected",
	cancelled: "UserCancelled", overflowed: "Overflow", transferStarted: "TransferStarted",
	transferCancelled: "TransferCancelled", transferConnected: "TransferConnected",
	holdStart: "HoldStart", holdEnd: "HoldEnd", disconnected: "Disconnected",
}

var legStepNames = [numOutSteps]string{
	outGoing: "OutGoing", outConnected: "OutConnected", outHoldStart: "OutHoldStart",
	outHoldEnd: "OutHoldEnd", outDisconnected: "OutDisconnected",
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table says (go test -update rewrites it)\ngot:\n%s", file, got)
	}
}

// TestStatesPicture keeps STATES.md the picture of the tables.
func TestStatesPicture(t *testing.T) {
	var b bytes.Buffer
	fmt.Fprint(&b, "# States of a participant\n\nGenerated from the tables by `go test ./internal/call -run StatesPicture -update`.\n")
	fmt.Fprint(&b, "A step that is not drawn changes nothing and is counted as unexpected.\n\n```mermaid\nstateDiagram-v2\n")
	fmt.Fprint(&b, "    state \"hung up\" as hung_up\n    state \"handed over\" as handed_over\n    state \"as before the transfer\" as back\n")
	for from := range inTime {
		for to := offered; to <= back; to++ {
			var by []string
			for k := range numSteps {
				if inTime[from][k].to == to {
					by = append(by, stepNames[k])
				}
			}
			if len(by) > 0 {
				fmt.Fprintf(&b, "    %s --> %s : %s\n", node(state(from)), node(to), strings.Join(by, ", "))
			}
		}
	}
	fmt.Fprint(&b, "```\n\nWhoever is offered, ringing, diverting or overflowing when somebody else answers becomes lost;\nwhen the caller goes away, left.\n")
	fmt.Fprint(&b, "\n## Overtaken steps\n\nOf a step that happened before what brought the participant to the present state, and is learned after it:\n\n")
	matrix(&b, overtaken)
	fmt.Fprint(&b, "\n## Outbound\n\n```mermaid\nstateDiagram-v2\n")
	for from := range legSteps {
		for k := outGoing; k < numOutSteps; k++ {
			if to := legSteps[from][k].to; to != legNone {
				fmt.Fprintf(&b, "    %s --> %s : %s\n", legNode(legState(from)), legNode(to), legStepNames[k])
			}
		}
	}
	fmt.Fprint(&b, "```\n")
	golden(t, "STATES.md", b.Bytes())
}

// TestPictureInTheReadme keeps the picture in transform's README that of the table: how
// somebody comes to talk. What ends a part is said below it.
func TestPictureInTheReadme(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- states -->\n", "<!-- end of states -->\n"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(readme), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("transform/README.md has no place for the picture")
	}
	golden(t, file, []byte(head+begin+ways()+end+tail))
}

// ways draws the steps between the states in which somebody takes part.
func ways() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    direction LR\n")
	for from := none; from <= overflowing; from++ {
		for to := offered; to <= overflowing; to++ {
			var by []string
			for k := range numSteps {
				if c := inTime[from][k]; c.to == to && from != to && (from != none || to <= talking) {
					by = append(by, stepNames[k])
				}
			}
			if len(by) > 0 {
				fmt.Fprintf(&b, "    %s --> %s : %s\n", node(from), node(to), strings.Join(by, ", "))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func node(s state) string {
	if s == none {
		return "[*]"
	}
	return strings.ReplaceAll(s.String(), " ", "_")
}

func legNode(s legState) string {
	if s == legNone {
		return "[*]"
	}
	return s.String()
}

func matrix(b *bytes.Buffer, table [numStates]row) {
	var used []kind
	for k := range numSteps {
		if slices.ContainsFunc(table[:], func(r row) bool { return r[k].to != none }) {
			used = append(used, k)
		}
	}
	fmt.Fprint(b, "| state |")
	for _, k := range used {
		fmt.Fprintf(b, " %s |", stepNames[k])
	}
	fmt.Fprint(b, "\n|---|", strings.Repeat("---|", len(used)), "\n")
	for s := offered; s < numStates; s++ {
		if !slices.ContainsFunc(table[s][:], func(c cell) bool { return c.to != none }) {
			continue
		}
		fmt.Fprintf(b, "| %s |", s)
		for _, k := range used {
			c := table[s][k]
			switch c.to {
			case none:
				fmt.Fprint(b, " |")
			case s:
				fmt.Fprint(b, " stays |")
			default:
				fmt.Fprintf(b, " %s |", c.to)
			}
		}
		fmt.Fprintln(b)
	}
}

// scene is a call in which tom rings or has answered, and jane is in a state.
type scene struct {
	name     string
	answered time.Duration // when tom did; 0 if he did not
	at       time.Duration // when the step happens; jane's state began at 10s
}

var scenes = []scene{
	{"unanswered", 0, 20 * time.Second},
	{"answered by tom", time.Second, 20 * time.Second},
	{"answered by tom, later than the step", 25 * time.Second, 20 * time.Second},
	{"unanswered, overtaken", 0, 5 * time.Second},
	{"answered by tom, overtaken", time.Second, 5 * time.Second},
}

func (sc scene) call(s state) *Call {
	c := New("c1")
	c.Phase, c.Last, c.Cause.EventID = open, start, "e0"
	tom := participant{ID: "tom", spell: spell{State: ringing, At: start, Rung: true}}
	jane := participant{ID: "jane", spell: spell{State: s, At: start.Add(10 * time.Second)}}
	jane.Rung = s != none && s != offered && s != overflowing
	if s == transferring || s == diverting {
		jane.Back = map[state]state{transferring: held, diverting: ringing}[s]
	}
	if sc.answered > 0 {
		tom.State, tom.At = talking, start.Add(sc.answered)
		c.AnsweredBy, c.AnsweredAt = "tom", tom.At
	}
	if s.talks() && jane.At.After(c.AnsweredAt) {
		c.AnsweredBy, c.AnsweredAt = "jane", jane.At
	}
	if s.talks() && sc.answered == 0 {
		tom.State = lost
	}
	c.Users = []participant{tom, jane}
	return c
}

// TestEveryStateAndStep takes every step in every state of every scene.
// testdata/table.golden says what happens in those that fit; the others leave
// the call as it was.
func TestEveryStateAndStep(t *testing.T) {
	var b bytes.Buffer
	for _, sc := range scenes {
		fmt.Fprintf(&b, "# %s\n", sc.name)
		for s := range numStates {
			for k := coming; k < numSteps; k++ {
				tryStep(t, &b, sc, s, k)
			}
		}
	}
	golden(t, "testdata/table.golden", b.Bytes())
}

func tryStep(t *testing.T, b *bytes.Buffer, sc scene, s state, k kind) {
	t.Helper()
	c := sc.call(s)
	before := sc.call(s)
	at := start.Add(sc.at)
	told, verdict := c.Apply(event.Raw{
		ID: "e1", EventType: "UserCallIn" + strings.TrimPrefix(stepNames[k], "In"), CallID: "c1", UserID: "jane", Timestamp: at,
	}, start.Add(30*time.Second), DefaultLimits())
	jane := c.Users[1]

	table := inTime
	if s != none && sc.at < 10*time.Second {
		table = overtaken
	}
	want := table[s][k].to
	if want == back {
		want = before.Users[1].Back
	}
	fits := want != none && (!table[s][k].unrung || !before.Users[1].Rung)
	switch {
	case verdict == Changed && (!fits || jane.State != want):
		t.Errorf("%s: %s of %s: %s, the table says %s", sc.name, stepNames[k], s, jane.State, want)
	case verdict == Unexpected && (fits || jane.State != s || len(told) > 0 || c.Cause.EventID != "e0"):
		t.Errorf("%s: unexpected %s of %s changed something (%s, %d told)", sc.name, stepNames[k], s, jane.State, len(told))
	case verdict == LateRing && (k != allocated || sc.answered <= sc.at || s.talks() || len(told) > 0):
		t.Errorf("%s: %s of %s rang late", sc.name, stepNames[k], s)
	case verdict != Changed && verdict != Unexpected && verdict != LateRing:
		t.Errorf("%s: %s of %s is %s", sc.name, stepNames[k], s, verdict)
	}
	if verdict == Unexpected {
		return
	}
	fmt.Fprintf(b, "%s + %s: %s", s, stepNames[k], jane.State)
	if verdict != Changed {
		fmt.Fprintf(b, " (%s)", verdict)
	}
	for _, e := range told {
		fmt.Fprintf(b, "; %s to", e.Type)
		for _, u := range e.Audience {
			fmt.Fprintf(b, " %s", u.UserID)
		}
	}
	if c.Phase == closed {
		fmt.Fprint(b, "; closed")
	}
	fmt.Fprintln(b)
}

// TestEveryLegStateAndStep does the same for outbound legs.
func TestEveryLegStateAndStep(t *testing.T) {
	for s := range numLegStates {
		for k := outGoing; k < numOutSteps; k++ {
			c := New("c1")
			c.Legs, c.Last = []leg{{ID: "jane", State: s}}, start
			told, verdict := c.Apply(event.Raw{
				ID: "e1", EventType: "UserCall" + legStepNames[k], CallID: "c1", UserID: "jane",
			}, start, DefaultLimits())
			want := legSteps[s][k]
			switch {
			case s == legEnded:
				if verdict != AfterClose || len(told) > 0 {
					t.Errorf("%s of %s: %s", legStepNames[k], s, verdict)
				}
			case want.to == legNone:
				if verdict != Unexpected || len(told) > 0 || c.Legs[0].State != s {
					t.Errorf("%s of %s: %s", legStepNames[k], s, verdict)
				}
			case verdict != Changed || len(told) != 1 || told[0].Type != want.t || told[0].Direction != event.Outbound || c.Legs[0].State != want.to:
				t.Errorf("%s of %s: %s %v %s", legStepNames[k], s, verdict, told, c.Legs[0].State)
			}
		}
	}
}
