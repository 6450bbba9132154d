package policytest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const core, adapter = "internal/core/core.go", "internal/bus/bus.go"

func source(imports ...string) *fstest.MapFile {
	text := "//go:build never\n\npackage p\n"
	for _, i := range imports {
		text += "import _ \"" + i + "\"\n"
	}
	return &fstest.MapFile{Data: []byte(text)}
}

var policy = Policy{
	"internal/core": {"std", "-os", "-net"},
	"internal/bus":  {"net/http", "./internal/core", "ringstream/schemas/event", "github.com/nats-io/nats.go"},
}

func TestViolations(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		imports []string
		want    []string
	}{
		"standard library":       {core, []string{"time", "encoding/json"}, nil},
		"a denied package":       {core, []string{"os"}, []string{core + " imports os"}},
		"below a denied one":     {core, []string{"net/url"}, []string{core + " imports net/url"}},
		"like a denied one":      {core, []string{"ossuary"}, nil},
		"a module":               {core, []string{"example.org/m"}, []string{core + " imports example.org/m"}},
		"schemas, not listed":    {core, []string{"ringstream/schemas/event"}, []string{core + " imports ringstream/schemas/event"}},
		"listed":                 {adapter, []string{"net/http", "net/http/httptest", "ringstream/ours/internal/core", "github.com/nats-io/nats.go/jetstream"}, nil},
		"above a listed one":     {adapter, []string{"net"}, []string{adapter + " imports net"}},
		"beside a listed one":    {adapter, []string{"github.com/nats-io/nats.go2"}, []string{adapter + " imports github.com/nats-io/nats.go2"}},
		"another service":        {adapter, []string{"ringstream/theirs"}, []string{adapter + " imports ringstream/theirs"}},
		"of a test":              {"internal/core/core_test.go", []string{"os", "example.org/m"}, nil},
		"another service's test": {"internal/core/core_test.go", []string{"ringstream/theirs"}, []string{"internal/core/core_test.go imports ringstream/theirs"}},
		"tests alone":            {"policy_test.go", []string{"testing"}, nil},
		"an unlisted package":    {"new/new.go", nil, []string{"package new is not in the policy"}},
		"another module":         {"nested/x/x.go", []string{"ringstream/theirs"}, nil},
		"test data":              {"internal/core/testdata/x.go", []string{"ringstream/theirs"}, nil},
		"hidden":                 {".bin/x.go", []string{"ringstream/theirs"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{core: source("fmt"), adapter: source(), "nested/go.mod": {}}
			files[c.file] = source(c.imports...)
			got, err := violations(files, "ringstream/ours", policy)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestAFileWithItsOwnEntry(t *testing.T) {
	const special = "internal/core/special.go"
	files := fstest.MapFS{core: source("os"), special: source("os", "fmt")}
	got, err := violations(files, "ringstream/ours", Policy{"internal/core": {"std", "-os"}, special: {"os"}})
	if want := []string{core + " imports os", special + " imports fmt"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestPure(t *testing.T) {
	for text, want := range map[string]string{
		`import "time"; const d = time.Second`:               "",
		`import "time"; func f() { _ = time.Now() }`:         core + " is pure and uses time.Now",
		`import "time"; var f = time.After`:                  core + " is pure and uses time.After",
		`import . "time"; var f = Now`:                       core + " is pure and renames time, which hides what it uses",
		`import t "time"; var f = t.Now`:                     core + " is pure and renames time, which hides what it uses",
		`func f() { go f() }`:                                core + " is pure and starts a goroutine",
		`type clock struct { Now int }; var x = clock{}.Now`: "",
	} {
		files := fstest.MapFS{core: {Data: []byte("package core; " + text)}}
		for entry, want := range map[string]string{Pure: want, "std": ""} {
			got, err := violations(files, "ringstream/ours", Policy{"internal/core": {"time", entry}})
			if err != nil || strings.Join(got, "; ") != want {
				t.Errorf("%s, %s: got %q, %v; want %q", text, entry, got, err, want)
			}
		}
	}
}

func TestAnEntryWithoutAPackage(t *testing.T) {
	got, err := violations(fstest.MapFS{core: source("fmt")}, "ringstream/ours", policy)
	if want := []string{"the policy has internal/bus, the module has not"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestWhatIsNotGoIsAnError(t *testing.T) {
	_, err := violations(fstest.MapFS{core: {Data: []byte("package")}}, "ringstream/ours", policy)
	if err == nil || !strings.Contains(err.Error(), core) {
		t.Errorf("got %v", err)
	}
}

func TestCheckReadsTheFolderOfTheTest(t *testing.T) {
	Check(t, "ringstream/schemas/policytest", Policy{".": {"std"}})
}
