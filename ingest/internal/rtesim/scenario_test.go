package rtesim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
	"ringstream/schemas/program"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestScenarios compares every event of every shipped scenario with a golden
// file; ids that are new each time stand as <new>.
func TestScenarios(t *testing.T) {
	for _, name := range ScenarioNames() {
		t.Run(name, func(t *testing.T) {
			s, err := Named(name)
			if err != nil {
				t.Fatal(err)
			}
			if s.About == "" {
				t.Error("it does not say what happens")
			}
			golden := filepath.Join("testdata", name+".golden")
			got := render(t, s)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

var guid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func render(t *testing.T, s Scenario) []byte {
	t.Helper()
	known := map[string]bool{s.Organization: true, strings.Trim(zeroGUID, `"`): true}
	for _, p := range s.Users {
		known[p.ID] = true
	}
	for _, q := range s.Queues {
		known[q.ID] = true
	}
	began := time.Date(2026, 11, 1, 10, 0, 0, 123456700, time.UTC)
	calls := s.newCalls(1)
	for i := range calls {
		calls[i].id = fmt.Sprintf("call-%d", i+1)
	}
	var b bytes.Buffer
	for _, m := range timeline(calls) {
		identity := []field{textField("callId", m.call.id), textField("legId", "leg"), textField("agentLegId", "agent")}
		o, err := s.compose(m.plan.eventSpec, m.call.plan.settings, identity, began.Add(m.due))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := event.ParseRaw(fmt.Appendf(nil, `{"subscription":{},"data":%s}`, o.data))
		if err != nil || raw.ID != o.id || raw.EventType != m.plan.eventType || raw.EntityID != o.entityID || raw.OrganizationID != s.Organization {
			t.Errorf("%v in %s: read as %+v", err, o.data, raw)
		}
		masked := guid.ReplaceAllStringFunc(string(o.data), func(id string) string {
			if known[id] {
				return id
			}
			return "<new>"
		})
		fmt.Fprintf(&b, "+%s %s x%d\n%s\n", m.due, o.entityID, m.plan.times, masked)
	}
	return b.Bytes()
}

func TestEveryLayoutWritesJSON(t *testing.T) {
	agency := Agency()
	for name := range layouts {
		o, err := agency.compose(eventSpec{eventType: name, user: "jane"}, nil, nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(o.data, &fields); err != nil {
			t.Errorf("%s: %v in %s", name, err, o.data)
		}
		if want := len(layoutOf(name)) + 8; len(fields) != want && len(fields) != want-1 { // the TTL may be in the layout
			t.Errorf("%s has %d fields, want %d: %s", name, len(fields), want, o.data)
		}
	}
}

func TestParseScenario(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no call":            {"A story.\n", "has no call"},
		"an unknown section": {"-- kall --\n+0s UserStatus user=jane\n", "kall: unknown section"},
		"a bad offset":       {"-- call --\n\n+soon UserStatus\n", "line 2: offset"},
		"no event":           {"-- call --\n+1s\n", "an offset without an event"},
		"no pair":            {"-- call --\n+1s UserStatus jane\n", `"jane" is not name=value`},
		"no JSON":            {"-- call --\n+1s UserStatus talking:=yes\n", "is not JSON"},
		"an open quote":      {"-- call --\n+1s UserStatus note=\"a b\n", "quote is not closed"},
		"no times":           {"-- call --\n+1s UserStatus times=0\n", "no positive number"},
		"a user without id":  {"-- users --\nbob userName=b\n-- call --\n+1s UserStatus\n", "id of bob"},
	} {
		if _, err := ParseScenario("x", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFieldsOfAScenario(t *testing.T) {
	s, err := ParseScenario("x", []byte(`-- organization --
11111111-1111-1111-1111-111111111111
-- users --
bob id=22222222-2222-2222-2222-222222222222 userName=bob@x.example numbers=101
-- call --
caller=+44 reason=busy callId=fixed start=1s
+1s UserCallInUserCancelled user=bob detailedReason="a b" extra:=[1,"t w"] -legId callerNumber:=null times=2
`))
	if err != nil {
		t.Fatal(err)
	}
	m := timeline(s.newCalls(1))[0]
	o, err := s.compose(m.plan.eventSpec, m.call.plan.settings, m.call.identity(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	const org, bob = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	want := `{"rootEntityType":"Organization","rootEntityId":"` + org + `","eventType":"UserCallInUserCancelled","entityType":"User","entityId":"` + bob +
		`","callId":"fixed","userId":"` + bob + `","organizationId":"` + org + `","userName":"bob@x.example","reason":"busy","detailedReason":"a b",` +
		`"callerNumber":null,"targetNumber":null,"publicity":0,"extra":[1,"t w"],"id":"` + o.id + `","timestamp":"2026-01-02T03:04:05Z","messageTTLSeconds":-1}`
	if string(o.data) != want || m.due != 2*time.Second || m.plan.times != 2 {
		t.Errorf("%s x%d\ngot  %s\nwant %s", m.due, m.plan.times, o.data, want)
	}
}

func TestEscapeLegacy(t *testing.T) {
	in := `{"a+b":"+44 <Ä> & 'é' 😀 \"q\\","n":1e+5}`
	out := escapeLegacy([]byte(in))
	if want := `{"a\u002Bb":"\u002B44 \u003C\u00C4\u003E \u0026 \u0027\u00E9\u0027 \uD83D\uDE00 \"q\\","n":1e+5}`; string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	var before, after any
	if err := json.Unmarshal([]byte(in), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &after); err != nil || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%v: %v is not %v", err, after, before)
	}
}

func TestTheSentLogIsBounded(t *testing.T) {
	l := &sentLog{limit: 10_000}
	for i := range 50_000 {
		l.add([]Sent{{Connection: fmt.Sprint(i % 2), ID: fmt.Sprint(i)}})
	}
	p := l.page("", 0, 1)
	if p.Total < l.limit || p.Total > l.limit+chunkSize || p.Total+p.Dropped != 50_000 {
		t.Errorf("%d kept, %d dropped", p.Total, p.Dropped)
	}
	if p = l.page("1", 2, 2); len(p.Entries) != 2 || p.Entries[0].Connection != "1" || p.Entries[0].ID >= p.Entries[1].ID {
		t.Errorf("%+v", p.Entries)
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("RTE_SIM_TOKEN_TTL", "5m")
	t.Setenv("TOKEN_TTL", "7m")
	t.Setenv("RTE_SIM_UNAUTHORIZED", "a,b")
	var s Settings
	err := program.Load(&s)
	if err != nil || s.TokenTTL != 5*time.Minute || len(s.Unauthorized) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	s.TokenTTL, s.Unauthorized = time.Hour, nil
	if d := Defaults(); fmt.Sprint(s) != fmt.Sprint(d) {
		t.Errorf("the environment's defaults %+v are not %+v", s, d)
	}
	t.Setenv("RTE_SIM_COALESCE", "0")
	t.Setenv("RTE_SIM_PING_INTERVAL", "-1s")
	if err := program.Load(&s); err == nil || !strings.Contains(err.Error(), "COALESCE") || !strings.Contains(err.Error(), "PING_INTERVAL") {
		t.Errorf("%v", err)
	}
}
