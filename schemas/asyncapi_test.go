package schemas_test

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"ringstream/schemas"
	"ringstream/schemas/topology"
)

type reference struct {
	Ref string `yaml:"$ref"`
}

// name is the last part of a reference into the document.
func (r reference) name() string { return r.Ref[strings.LastIndexByte(r.Ref, '/')+1:] }

type asyncChannel struct {
	Address, Title, Description string
	Parameters, Messages        map[string]reference
	Stream                      string `yaml:"x-stream"`
	MaxAge                      string `yaml:"x-max-age"`
	Republish                   bool   `yaml:"x-republish"`
}

type asyncMessage struct {
	Title, Summary string
	Payload        struct {
		SchemaFormat string `yaml:"schemaFormat"`
		Schema       reference
	}
	Example string `yaml:"x-example"`
}

type asyncDocument struct {
	Version    string `yaml:"asyncapi"`
	Servers    map[string]struct{ Protocol string }
	Channels   map[string]asyncChannel
	Operations map[string]struct {
		Action, Description string
		Channel             reference
		Service             string `yaml:"x-service"`
		Stream              string `yaml:"x-stream"`
	}
	Components struct {
		Messages   map[string]asyncMessage
		Parameters map[string]struct {
			Description string
			Enum        []string
		}
	}
}

func asyncAPI(t *testing.T) (doc asyncDocument) {
	t.Helper()
	readAsyncAPI(t, &doc)
	return doc
}

func readAsyncAPI(t *testing.T, into any) {
	t.Helper()
	b, err := schemas.FS.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

var (
	placeholder = regexp.MustCompile(`\{\w+\}`)
	numbered    = regexp.MustCompile(`_\d+$`)
	wildcard    = regexp.MustCompile(`\{\{wildcard\(\d+\)\}\}`)
)

// filters are the subjects of a channel, as "stream subject". The channel of a
// stream by partition stands for one in each.
func (c asyncChannel) filters(partitions int) []string {
	if !strings.Contains(c.Stream, "{partition}") { // also what is in none
		return []string{c.Stream + " " + placeholder.ReplaceAllString(c.Address, "*")}
	}
	var out []string
	for p := range partitions {
		one := strings.NewReplacer("{partition}", strconv.Itoa(p)).Replace
		out = append(out, one(c.Stream)+" "+placeholder.ReplaceAllString(one(c.Address), "*"))
	}
	return out
}

// stored are the subjects that a stream takes, or gets from its sources.
func stored(s topology.Stream) []string {
	out := slices.Clone(s.Subjects)
	for _, source := range s.Sources {
		out = append(out, wildcard.ReplaceAllString(source.To, "*"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestChannelsAreTheSubjectsOfTheStreams(t *testing.T) {
	doc := asyncAPI(t)
	for _, partitions := range []int{1, topology.DefaultPartitions, topology.MaxPartitions} {
		var want, got []string
		for _, s := range topology.Streams(topology.Layout{Partitions: partitions, Replicas: 1}) {
			for _, subject := range stored(s) {
				want = append(want, s.Name+" "+subject)
			}
		}
		for _, p := range topology.Plains() {
			want = append(want, " "+p.Subject)
		}
		for _, c := range doc.Channels {
			got = append(got, c.filters(partitions)...)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d partitions: channels %q\nstreams %q", partitions, got, want)
		}
	}
}

// byPartition is a stream's name as channels write it.
func byPartition(stream string) string { return numbered.ReplaceAllString(stream, "_{partition}") }

func TestStreamsAreDescribedAsTheyAre(t *testing.T) {
	doc := asyncAPI(t)
	for _, s := range topology.Streams(topology.Layout{Partitions: 1, Replicas: 1}) {
		for id, c := range doc.Channels {
			if c.Stream != byPartition(s.Name) {
				continue
			}
			if want := strconv.Itoa(int(s.MaxAge.Hours()/24)) + "d"; c.MaxAge != want {
				t.Errorf("%s keeps messages for %s, the stream for %s", id, c.MaxAge, want)
			}
			if c.Republish != (s.Republish != "") {
				t.Errorf("%s: republish %t, the stream %q", id, c.Republish, s.Republish)
			}
		}
	}
}

func TestSendersAreTheWritersOfTheStreams(t *testing.T) {
	doc := asyncAPI(t)
	want, got := map[string]bool{}, map[string]bool{}
	for _, s := range topology.Streams(topology.Layout{Partitions: 2, Replicas: 1}) {
		for service := range strings.SplitSeq(s.Writer, ", ") {
			if service != "" {
				want[service+" sends to "+byPartition(s.Name)] = true
			}
		}
	}
	for _, p := range topology.Plains() {
		want[p.Writer+" sends to "] = true
	}
	heard := map[string]bool{}
	for name, o := range doc.Operations {
		c, ok := doc.Channels[o.Channel.name()]
		if !ok || c.Stream != o.Stream || o.Description == "" {
			t.Errorf("%s: channel %s is in stream %q, the operation says %q: %q", name, o.Channel.Ref, c.Stream, o.Stream, o.Description)
		}
		if o.Action == "send" {
			got[o.Service+" sends to "+o.Stream] = true
			heard[o.Channel.name()] = true
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("operations %v\nstreams %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for id, c := range doc.Channels {
		if heard[id] == (c.Stream == topology.Calls) {
			t.Errorf("%s in %s: sent to %t", id, c.Stream, heard[id])
		}
	}
}

func TestParametersAreThePlaceholders(t *testing.T) {
	doc := asyncAPI(t)
	for id, c := range doc.Channels {
		want := placeholder.FindAllString(c.Address, -1)
		var got []string
		for name, r := range c.Parameters {
			got = append(got, "{"+name+"}")
			if r.name() != name || doc.Components.Parameters[name].Description == "" {
				t.Errorf("%s: parameter %s is %s, or has no description", id, name, r.Ref)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || c.Title == "" || c.Description == "" || len(c.Messages) == 0 {
			t.Errorf("%s: placeholders %q, parameters %q, %d messages, %q: %q", id, want, got, len(c.Messages), c.Title, c.Description)
		}
	}
}

// references collects every $ref of the document.
func references(value any, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			if s, ok := child.(string); ok && key == "$ref" {
				into[s] = true
			}
			references(child, into)
		}
	case []any:
		for _, child := range v {
			references(child, into)
		}
	}
}

func lookUp(doc any, pointer string) (any, bool) {
	for name := range strings.SplitSeq(pointer, "/") {
		object, _ := doc.(map[string]any)
		child, ok := object[name]
		if !ok {
			return nil, false
		}
		doc = child
	}
	return doc, true
}

func TestReferencesResolveAndNothingIsUnused(t *testing.T) {
	var doc map[string]any
	readAsyncAPI(t, &doc)
	refs := map[string]bool{}
	references(doc, refs)
	for ref := range refs {
		if inside, ok := strings.CutPrefix(ref, "#/"); ok {
			if _, found := lookUp(doc, inside); !found {
				t.Errorf("%s is not in the document", ref)
			}
		} else if _, err := fs.Stat(schemas.FS, strings.TrimPrefix(ref, "./")); err != nil || !strings.HasPrefix(ref, "./jsonschema/") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for kind, components := range doc["components"].(map[string]any) {
		for name := range components.(map[string]any) {
			if !refs["#/components/"+kind+"/"+name] {
				t.Errorf("%s %s is not used", kind, name)
			}
		}
	}
	for _, path := range paths(t, "jsonschema") {
		dir, _, _ := strings.Cut(path, "/")
		ours := dir != "rte" && dir != "reapit" || path == "rte/message-received.json"
		if refs["./jsonschema/"+path] != ours {
			t.Errorf("%s: a message's body %t, referred to %t", path, ours, !ours)
		}
	}
}

func TestMessagesSayWhatTheyAre(t *testing.T) {
	doc := asyncAPI(t)
	if nats := doc.Servers["nats"]; doc.Version != "3.0.0" || nats.Protocol != "nats" {
		t.Errorf("AsyncAPI %s, servers %v", doc.Version, doc.Servers)
	}
	for name, m := range doc.Components.Messages {
		if m.Title == "" || m.Summary == "" {
			t.Errorf("%s: %q: %q", name, m.Title, m.Summary)
		}
		schema, ok := strings.CutPrefix(m.Payload.Schema.Ref, "./jsonschema/")
		if !ok {
			continue
		}
		if m.Example != "./examples/"+schema || m.Payload.SchemaFormat != "application/schema+json;version=2020-12" {
			t.Errorf("%s: example %s, format %s", name, m.Example, m.Payload.SchemaFormat)
		}
	}
}
