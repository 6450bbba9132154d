package schemas

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ringstream/schemas/event"
)

//go:generate go run ./internal/gen

// FS holds the contract's files: jsonschema, examples and asyncapi.yaml.
//
//go:embed jsonschema examples asyncapi.yaml
var FS embed.FS

const (
	schemaDir  = "jsonschema"
	exampleDir = "examples"
)

// ErrUnknown means that the contract has no schema of that id.
var ErrUnknown = errors.New("unknown schema")

// IDs returns the id of every schema, sorted.
func IDs() []string {
	names, _ := fs.Glob(FS, schemaDir+"/*/*.json") // fails on a bad pattern only
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = event.SchemaBase + strings.TrimPrefix(name, schemaDir+"/")
	}
	return ids
}

// Compile returns the schema of an id, ready to validate. It may be used by
// several goroutines at once.
func Compile(id string) (*jsonschema.Schema, error) {
	all, err := compiled()
	if err != nil {
		return nil, err
	}
	s, ok := all[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return s, nil
}

// Validate checks JSON by the schema of an id, such as an event's dataschema.
func Validate(id string, data []byte) error {
	s, err := Compile(id)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("read JSON for %s: %w", id, err)
	}
	if err := s.Validate(value); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}

// Example returns the example that goes with a schema.
func Example(id string) ([]byte, error) {
	name, ok := strings.CutPrefix(id, event.SchemaBase)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	b, err := FS.ReadFile(exampleDir + "/" + name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return b, nil
}

var compiled = sync.OnceValues(compileAll)

func compileAll() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ids := IDs()
	for _, id := range ids {
		if err := load(c, id); err != nil {
			return nil, err
		}
	}
	all := make(map[string]*jsonschema.Schema, len(ids))
	for _, id := range ids {
		s, err := c.Compile(id)
		if err != nil {
			return nil, fmt.Errorf("compile %s: %w", id, err)
		}
		all[id] = s
	}
	return all, nil
}

// load gives a compiler the file of an id, so that it never asks a network.
func load(c *jsonschema.Compiler, id string) error {
	b, err := FS.ReadFile(schemaDir + "/" + strings.TrimPrefix(id, event.SchemaBase))
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("read schema %s: %w", id, err)
	}
	return c.AddResource(id, doc)
}
