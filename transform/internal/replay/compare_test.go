package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

// tellAll makes a call's events of digits: the n-th event is the n-th digit.
func tellAll(ids string) (told []Told) {
	for i, d := range ids {
		told = append(told, Told{Call: event.Call{CallID: "c", Sequence: int(d - '0'), Type: event.Held}, At: bus.Position{In: uint64(i + 1)}, Header: header(d), Body: []byte(`{}`)})
	}
	return told
}

func header(d rune) map[string][]string { return map[string][]string{"ce-id": {"c/" + string(d)}} }

// holdAll makes what CALLS has of digits; an exclamation mark behind one
// changes its content.
func holdAll(ids string, told []Told) (have []Held) {
	for _, d := range ids {
		if d == '!' {
			have[len(have)-1].Body = []byte(`{"x":1}`)
			continue
		}
		h := Held{ID: "c/" + string(d), Header: header(d), Body: []byte(` { } `), Subject: "calls.none.held." + (Told{Call: event.Call{CallID: "c"}}).key(), Stated: true, At: bus.Position{In: 1}}
		for _, t := range told {
			if id(t.Header) == id(h.Header) {
				h.At = t.At
			}
		}
		have = append(have, h)
	}
	return have
}

// besides forgets the content of what is equal.
func besides(t *testing.T, have []Held, told []Told) []Held {
	t.Helper()
	for i, h := range have {
		at := slices.IndexFunc(told, func(t Told) bool { return t.id() == h.ID })
		if at < 0 {
			continue
		}
		var err error
		if have[i], err = h.beside(&told[at]); err != nil || (have[i].Same == nil) != (string(h.Body) == `{"x":1}`) {
			t.Fatalf("%s: %v, %v", h.ID, have[i].Same, err)
		}
	}
	return have
}

func TestPart(t *testing.T) {
	for _, tt := range []struct{ want, have, parted string }{
		{"123", "123", ""},
		{"", "", ""},
		{"123", "", "missing 1, missing 2, missing 3"},
		{"", "12", "extra 1, extra 2"},
		{"123", "13", "missing 2"},
		{"123", "12", "missing 3"},
		{"123", "23", "missing 1"},
		{"123", "1293", "extra 3"},
		{"123", "9123", "extra 1"},
		{"123", "1223", "doubled 3"},
		{"123", "1231", "doubled 4"},
		{"123", "12!3", "different 2"},
		{"123", "193", "different 2"},
		{"123", "113", "doubled 2, missing 2"},
		{"12", "1122", "doubled 2, doubled 4"},
		{"12", "211", "misplaced 1, doubled 2"},
		{"123", "213", "misplaced 1"},
		{"123", "312", "misplaced 1, misplaced 2"},
		{"12345", "13!59", "missing 2, different 3, missing 4, extra 4"},
	} {
		told := tellAll(tt.want)
		r := Compare(told, besides(t, holdAll(tt.have, told), told), Scope{Last: 99})
		var got []string
		for _, p := range r.Parted {
			for _, d := range p.Differences {
				got = append(got, fmt.Sprintf("%s %d", d.Kind, d.Nth))
			}
		}
		if strings.Join(got, ", ") != tt.parted {
			t.Errorf("%q against %q: %v, want %s", tt.want, tt.have, got, tt.parted)
		}
	}
}

func TestScope(t *testing.T) {
	told := tellAll("123")
	held := func(ids string) []Held { return holdAll(ids, told) }
	foreign := held("9")
	foreign[0].Stated = false
	for name, tt := range map[string]struct {
		have  []Held
		scope Scope
		want  string
	}{
		"folded to here":           {held("12"), Scope{Last: 99, Reached: []bus.Position{{In: 2}}}, "parted 0, behind 1, cut 0"},
		"folded past it":           {held("12"), Scope{Last: 99, Reached: []bus.Position{{In: 3}}}, "parted 1, behind 0, cut 0"},
		"not known by the reader":  {held("123"), Scope{Last: 2, Reached: []bus.Position{{In: 3}}}, "parted 1, behind 0, cut 0"},
		"began before RTE":         {held("23"), Scope{Last: 99, Sure: 3}, "parted 0, behind 0, cut 1"},
		"heard of early":           {held("23"), Scope{Last: 99, Sure: 2, Heard: map[string]uint64{told[0].key(): 1}}, "parted 0, behind 0, cut 1"},
		"heard of late enough":     {held("23"), Scope{Last: 99, Sure: 1, Heard: map[string]uint64{told[0].key(): 1}}, "parted 1, behind 0, cut 0"},
		"written by somebody else": {append(held("123"), foreign...), Scope{Last: 99}, "parted 1, behind 0, cut 0"},
	} {
		r := Compare(told, tt.have, tt.scope)
		if got := fmt.Sprintf("parted %d, behind %d, cut %d", len(r.Parted), len(r.Behind), len(r.Cut)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestFieldsAreMaskedAndNamed(t *testing.T) {
	for _, tt := range []struct{ want, have, fields string }{
		{`{"a":1,"b":[1,2]}`, `{ "b":[1,2],"a":1 }`, ""},
		{`{"caller":"+447911123456"}`, `{"caller":"+447911123999"}`, `[{caller "…456" "…999"}]`},
		{`{"a":1}`, `{"a":1,"b":null}`, `[{b absent null}]`},
		{`{"a":1}`, `[`, `[{data a JSON object no JSON object}]`},
	} {
		got := dataFields([]byte(tt.want), []byte(tt.have))
		if text := fmt.Sprint(got); text != tt.fields && len(got)+len(tt.fields) > 0 {
			t.Errorf("%s, %s: %s, want %s", tt.want, tt.have, text, tt.fields)
		}
	}
}
