package schemas_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"ringstream/schemas"
	"ringstream/schemas/event"
)

func id(path string) string { return event.SchemaBase + path }

// paths lists the files below a folder of the contract.
func paths(t *testing.T, dir string) []string {
	t.Helper()
	sub, err := fs.Sub(schemas.FS, dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	err = fs.WalkDir(sub, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEverySchemaHasAnExampleAndTheReverse(t *testing.T) {
	if want, got := paths(t, "jsonschema"), paths(t, "examples"); !slices.Equal(want, got) {
		t.Errorf("schemas %v\nexamples %v", want, got)
	}
}

func TestEveryEventTypeHasASchema(t *testing.T) {
	want := []string{"heard/v1.json"}
	for _, c := range event.CallTypes() {
		want = append(want, "call/"+string(c)+".v1.json")
	}
	for _, f := range event.FeedTypes() {
		want = append(want, "feed/"+string(f)+".v1.json")
	}
	for _, o := range event.OutcomeTypes() {
		want = append(want, "delivery/"+string(o)+".v1.json")
	}
	slices.Sort(want)
	got := slices.DeleteFunc(paths(t, "jsonschema"), func(p string) bool {
		return strings.HasPrefix(p, "rte/") || strings.HasPrefix(p, "reapit/") || strings.HasPrefix(p, "deadletter/")
	})
	if !slices.Equal(want, got) {
		t.Errorf("want %v\ngot %v", want, got)
	}
}

func TestEverySchemaDescribesItself(t *testing.T) {
	for _, p := range paths(t, "jsonschema") {
		b, err := schemas.FS.ReadFile("jsonschema/" + p)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Schema      string `json:"$schema"`
			ID          string `json:"$id"`
			Title       string
			Description string
			Properties  map[string]struct{ Description string }
			Patterns    map[string]struct{ Title, Description string } `json:"patternProperties"`
		}
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if s.ID != id(p) || s.Title == "" || s.Description == "" || s.Schema != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: id %q, title %q, description %q, schema %q", p, s.ID, s.Title, s.Description, s.Schema)
		}
		for name, m := range s.Properties {
			if m.Description == "" {
				t.Errorf("%s: %s has no description", p, name)
			}
		}
		for name, m := range s.Patterns {
			if m.Description == "" || m.Title == "" {
				t.Errorf("%s: %s has no title or description", p, name)
			}
		}
	}
}

func TestExamplesAreValid(t *testing.T) {
	for _, id := range schemas.IDs() {
		b, err := schemas.Example(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := schemas.Validate(id, b); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestUnknownIDs(t *testing.T) {
	for _, id := range []string{"", "call/incoming.v1.json", id("call/incoming.v2.json"), id("../examples/call/incoming.v1.json")} {
		if _, err := schemas.Compile(id); !errors.Is(err, schemas.ErrUnknown) {
			t.Errorf("Compile(%q): %v", id, err)
		}
		if err := schemas.Validate(id, []byte("{}")); !errors.Is(err, schemas.ErrUnknown) {
			t.Errorf("Validate(%q): %v", id, err)
		}
		if _, err := schemas.Example(id); !errors.Is(err, schemas.ErrUnknown) {
			t.Errorf("Example(%q): %v", id, err)
		}
	}
}

func TestWhatIsNotJSONIsRefused(t *testing.T) {
	for _, data := range []string{"", "{", "{} {}", "\xff"} {
		if err := schemas.Validate(id("rte/message-received.json"), []byte(data)); err == nil {
			t.Errorf("%q passed", data)
		}
	}
}

// documented returns the payloads that RTE's documentation shows, by schema.
func documented(t *testing.T) map[string][]json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("testdata/rte-documented.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryPayloadOfRTEIsDocumented(t *testing.T) {
	all := documented(t)
	for _, p := range paths(t, "jsonschema") {
		if strings.HasPrefix(p, "rte/") && len(all[p]) == 0 {
			t.Errorf("%s has no documented payload", p)
		}
	}
}

// keys returns the member names of a JSON object, sorted.
func keys(t *testing.T, b []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(m))
}

func TestSchemasAndExamplesNameWhatRTEDocuments(t *testing.T) {
	for path, payloads := range documented(t) {
		example, err := schemas.Example(id(path))
		if err != nil {
			t.Fatal(err)
		}
		if want, got := keys(t, camelCased(t, payloads[0])), keys(t, example); !slices.Equal(want, got) {
			t.Errorf("%s: example has %v, documented are %v", path, got, want)
		}
		b, err := schemas.FS.ReadFile("jsonschema/" + path)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Patterns map[string]struct{ Title string } `json:"patternProperties"`
		}
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, p := range s.Patterns {
			named = append(named, camelCase(p.Title))
		}
		slices.Sort(named)
		if want := keys(t, camelCased(t, payloads[0])); !slices.Equal(want, named) {
			t.Errorf("%s: schema names %v, documented are %v", path, named, want)
		}
	}
}

func TestDocumentedPayloadsAreValidInBothCasings(t *testing.T) {
	for path, payloads := range documented(t) {
		for _, pascal := range payloads {
			for _, b := range [][]byte{pascal, camelCased(t, pascal)} {
				if err := schemas.Validate(id(path), b); err != nil {
					t.Errorf("%s: %v\n%s", path, err, b)
				}
			}
		}
	}
}

// camelCased renames as System.Text.Json does by its camel case policy. The
// keys of dictionaries are data and stay.
func camelCased(t *testing.T, b []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(rename(v))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rename(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if key != "Values" && key != "AllowedValues" {
				value = rename(value)
			}
			out[camelCase(key)] = value
		}
		return out
	case []any:
		for i := range v {
			v[i] = rename(v[i])
		}
	}
	return v
}

// camelCase lowers the leading capitals but for one that begins a word.
func camelCase(name string) string {
	r := []rune(name)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && !unicode.IsUpper(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

func TestCamelCase(t *testing.T) {
	for in, want := range map[string]string{
		"MessageTTLSeconds": "messageTTLSeconds", "Id": "id", "CallBackId": "callBackId", "Username": "username",
		"TTLSeconds": "ttlSeconds", "URL": "url", "already": "already", "A": "a", "AB": "ab", "ABc": "aBc", "": "",
	} {
		if got := camelCase(in); got != want {
			t.Errorf("camelCase(%q) = %q, want %q", in, got, want)
		}
	}
	in := []byte(`{"Values":{"NoAnswer":"x"},"Data":[{"UserId":1}]}`)
	if got, want := string(camelCased(t, in)), `{"data":[{"userId":1}],"values":{"NoAnswer":"x"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
