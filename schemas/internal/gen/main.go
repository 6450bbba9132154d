// Command gen writes the JSON Schemas that follow a pattern: those of RTE's
// payloads from the table in rte.go, those of ringstream's own events from the
// tables in own.go. Schemas without a pattern (Reapit's) are written by hand
// and are not touched. It also writes asyncapi.yaml, which says where in the
// streams they are found.
//
// It owns the files it names and refuses nothing; the caller runs it from the
// schemas module (go generate ./...) and commits what it wrote. A test compares
// the committed files with what it would write.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func run(dir string) error {
	all, err := files()
	if err != nil {
		return err
	}
	for name, content := range all {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the repository is for everybody to read
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // the same
			return err
		}
	}
	return nil
}

// files returns every generated file by its path in the module.
func files() (map[string][]byte, error) {
	schemas := rteSchemas()
	maps.Copy(schemas, ownSchemas())
	out := make(map[string][]byte, len(schemas)+1)
	for path, s := range schemas {
		b, err := s.render()
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", path, err)
		}
		out["jsonschema/"+path] = b
	}
	b, err := asyncAPI()
	if err != nil {
		return nil, fmt.Errorf("render asyncapi.yaml: %w", err)
	}
	out["asyncapi.yaml"] = b
	return out, nil
}
