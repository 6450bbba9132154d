package bundle

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

const (
	partitions = 2
	jane       = "aa9730c4-ce86-e611-80c9-00505689257e"
)

func testAlias() *Pseudonyms { return NewPseudonyms([]byte("a key"), partitions) }

// Every spelling of a number becomes a spelling of one alias: what the model
// takes for the same, or for another, it takes so afterwards.
func TestAliasesOfNumbers(t *testing.T) {
	p := testAlias()
	spellings := []string{"+447911123456", "00447911123456", "07911 123456", "447911123456", "+44 (0)7911-123.456", "tel:+447911123456", "sip:+447911123456@pbx.private.example;user=phone", "SIP:07911123456"}
	others := []string{"+447911123457", "+442079460000", "02079460000", "7654321", "201", "12345", "123456", "123457", "000", "", "anonymous", "Jane Private", "sip:201@pbx.private.example", "jane07911123456"}
	all := append(spellings, others...)
	for _, a := range all {
		alias := p.number(a)
		if strings.Contains(alias, "123456") || strings.Contains(strings.ToLower(alias), "private") || strings.Contains(alias, "jane") {
			t.Errorf("%q became %q", a, alias)
		}
		if strings.TrimSpace(a) == "" != (alias == "") || (call.Digits(a) == "") != (call.Digits(alias) == "") || len(call.Digits(a)) != len(call.Digits(alias)) {
			t.Errorf("%q became %q: not as long", a, alias)
		}
		for _, b := range all {
			if call.Differ(a, b) != call.Differ(alias, p.number(b)) {
				t.Errorf("%q and %q became %q and %q: once the same, once not", a, b, alias, p.number(b))
			}
		}
	}
	for number, want := range map[string]string{
		"+447911123456": `^\+447911\d{6}$`, "07911 123456": `^07911 \d{6}$`, "sip:201@pbx.private.example": `^sip:201@pbx\.example$`,
		"Anonymous": `^Anonymous$`, "Reception": `^anonymous$`, "12345": `^1\d{4}$`, "0012345": `^001\d{4}$`,
	} {
		if got := p.number(number); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q became %q, want %s", number, got, want)
		}
	}
}

// No two numbers become one, and hardly any stays what it was.
func TestAliasesOfDigitsAreAPermutation(t *testing.T) {
	p := testAlias()
	for _, length := range []int{3, 4} {
		seen, same := map[string]bool{}, 0
		for n := range int(power(length)) {
			digits := fmt.Sprintf("%0*d", length, n)
			alias := p.permuted(digits)
			if len(alias) != length || seen[alias] {
				t.Fatalf("%s became %s", digits, alias)
			}
			seen[alias] = true
			if alias == digits {
				same++
			}
		}
		if same > 5 {
			t.Errorf("of %d digits %d stay what they were", length, same)
		}
	}
	if other := NewPseudonyms([]byte("another key"), partitions); other.number("+447911123456") == p.number("+447911123456") {
		t.Error("two exports have the same aliases")
	}
}

// Ids that are no GUIDs stay in their partitions.
func TestAliasesOfIDs(t *testing.T) {
	p := NewPseudonyms([]byte("a key"), topology.MaxPartitions)
	for n := range 50 {
		id := fmt.Sprintf("call of +4479111234%02d", n)
		alias := p.ID(id)
		if !guid.MatchString(alias) || alias != p.ID(strings.ToUpper(id)) || strings.Contains(alias, "4479") {
			t.Errorf("%s became %s", id, alias)
		}
		if topology.Partition(alias, p.partitions) != topology.Partition(topology.KeyToken(id), p.partitions) {
			t.Errorf("%s moved to another partition", id)
		}
	}
	for _, id := range []string{"", zeroID, jane, "7"} {
		if got := p.ID(id); got != id {
			t.Errorf("%s became %s", id, got)
		}
	}
}

// Whatever RTE may write in a body, the alias of its reading is the reading of
// its alias.
func TestAliasesOfOddBodies(t *testing.T) {
	for _, data := range []string{
		`{"id":12345678,"callId":12345678,"eventType":"UserCallInComing","userId":"Jane","callerNumber":447911123456,"targetNumber":true}`,
		`{"ID":"c0de0006-7A3B-4c5d-9e8f-1a2b3c4d0006","CallID":"0F6E4C1A-93D2-4B7E-8A61-2C5D9E7F1B30","EventType":" UserCallInComing ","Reason":" Remote "}`,
		`{"eventType":"UserCallIn Odd!","callId":"x","reason":16,"userName":7,"userName":"Jane\u0020Private","timestamp":"2026-11-02T09:12:31.7"}`,
		`{"eventType":"UserCallInComing","callId":"y","callerNumber":"\u002b447911123456","callerNumber":{"a":["+447911123456"]},"nested":[[{"userName":"Jane"}],null]}`,
		`{"callId":null,"eventType":5,"reason":null,"reason":"Jane Private has hung up","messageTTLSeconds":"30","timestamp":"soon"}`,
	} {
		p := testAlias()
		body := []byte(`{"subscription":{"entityId":"e-1","organizationId":"Jane Private Ltd"},"data":` + data + `}`)
		was, err := event.ParseRaw(body)
		if err != nil {
			t.Fatal(err)
		}
		alias, err := p.json(body)
		if err != nil {
			t.Fatal(err)
		}
		is, err := event.ParseRaw(alias)
		if err != nil {
			t.Fatalf("%s: %v", alias, err)
		}
		p.learn(was.ID, is.ID)
		want := was
		want.ID, want.CallID, want.EntityID, want.OrganizationID, want.UserID = p.ID(was.ID), p.ID(was.CallID), p.ID(was.EntityID), p.ID(was.OrganizationID), p.ID(was.UserID)
		want.EventType, want.UserName, want.CallerNumber, want.TargetNumber = p.kind(was.EventType), p.user(was.UserName), p.number(was.CallerNumber), p.number(was.TargetNumber)
		if was.Reason != nil {
			reason := p.word(*was.Reason)
			if want.Reason = &reason; is.Reason == nil || *is.Reason != reason {
				t.Errorf("%s: reason %v, want %q", alias, is.Reason, reason)
			}
			want.Reason = is.Reason
		}
		if is != want || call.Concerns(is) != call.Concerns(was) {
			t.Errorf("%s\ngot  %+v\nwant %+v", alias, is, want)
		}
		for _, private := range []string{"Jane", "123456", "Ltd"} {
			if strings.Contains(string(alias), private) {
				t.Errorf("%s is in %s", private, alias)
			}
		}
	}
}
