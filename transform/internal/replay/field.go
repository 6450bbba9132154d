package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ringstream/schemas/telemetry"
	"ringstream/transform/internal/replay/explain"
)

// Field is one part of an event that differs, as people may read it.
type Field struct {
	Name string `json:"name"` // of the data, or "header ce-time", "subject", "position in RTE"
	Want string `json:"want"` // what the fold of RTE gives
	Have string `json:"have"`
}

// fieldsThatDiffer compares an event with what the other side has for it. The
// order and the spacing of JSON do not count. Of a line there is only the data.
func fieldsThatDiffer(want Told, have Held) []Field {
	found := dataFields(want.Body, have.Body)
	if have.Printed {
		return found
	}
	names := map[string]bool{}
	for name := range want.Header {
		names[name] = true
	}
	for name := range have.Header {
		if strings.HasPrefix(name, "ce-") {
			names[name] = true
		}
	}
	add := func(name, a, b string) {
		if a != b {
			found = append(found, Field{name, a, b})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		add("header "+name, strings.Join(want.Header[name], ","), strings.Join(have.Header[name], ","))
	}
	add("subject", want.subject(), have.Subject)
	position := "none"
	if have.Stated {
		position = fmt.Sprint(have.At.In)
	}
	// Which output of its input an event is depends on other calls too.
	add("position in RTE", fmt.Sprint(want.At.In), position)
	return found
}

func dataFields(want, have []byte) []Field {
	if bytes.Equal(want, have) {
		return nil
	}
	var a, b map[string]any
	if err := json.Unmarshal(want, &a); err != nil {
		return []Field{{"data", "", "the fold's own data is no JSON object: " + err.Error()}}
	}
	if err := json.Unmarshal(have, &b); err != nil {
		return []Field{{"data", "a JSON object", "no JSON object"}}
	}
	names := maps.Clone(a)
	maps.Copy(names, b)
	var found []Field
	for _, name := range slices.Sorted(maps.Keys(names)) {
		x, inA := a[name]
		y, inB := b[name]
		if inA != inB || !reflect.DeepEqual(x, y) {
			found = append(found, Field{name, shown(name, x, inA), shown(name, y, inB)})
		}
	}
	return found
}

// shown is a value as JSON, numbers masked.
func shown(name string, v any, there bool) string {
	if !there {
		return "absent"
	}
	s, ok := v.(string)
	number := ok && (name == "caller" || name == "called")
	if number {
		v = telemetry.Mask(s)
	}
	b, err := json.Marshal(v)
	switch {
	case err != nil:
		return err.Error()
	case number:
		return string(b)
	default:
		return explain.Masking(true).Text(string(b)) // a reason may quote one
	}
}
