package verify

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
)

// The versions of Kubernetes whose schemas are asked: the oldest of Chart.yaml, one
// between, and that of go.mod.
const newest = "v1.36.3"

var versions = []string{"v1.31.14", "v1.33.13", newest}

// Modules that have the custom resources' definitions in them.
const (
	operator = "github.com/prometheus-operator/prometheus-operator@v0.93.0"
	keda     = "github.com/kedacore/keda/v2@v2.18.0"
)

// module is where the Go command keeps the source of a module, fetched if need be
// and checked against the public checksums.
func module(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", name)
	cmd.Dir = t.TempDir() // which has no go.mod that would have to list it
	cmd.Env = append(os.Environ(), "GOWORK=off")
	answer, err := cmd.Output()
	var about struct{ Dir, Error string }
	if err = errors.Join(err, json.Unmarshal(answer, &about)); err != nil || about.Error != "" {
		t.Fatalf("fetch %s: %v %s", name, err, about.Error)
	}
	return about.Dir
}

type object = map[string]any

// shelf is a directory of JSON schemas, one for each kind, as kubeconform looks them up.
type shelf string

func (s shelf) put(group, version, kind string, schema object) error {
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["required"] = []any{"apiVersion", "kind", "metadata"}
	text, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	name := strings.ToLower(kind)
	if group != "" {
		name += "-" + strings.Split(group, ".")[0]
	}
	return os.WriteFile(filepath.Join(string(s), name+"-"+version+".json"), text, 0o600)
}

func (s shelf) pattern() string {
	return filepath.Join(string(s), "{{ .ResourceKind }}{{ .KindSuffix }}.json")
}

// putAPI puts the kinds that the OpenAPI document of a Kubernetes describes.
func (s shelf) putAPI(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var api struct{ Definitions map[string]object }
	if err := json.Unmarshal(text, &api); err != nil {
		return err
	}
	for name, definition := range api.Definitions {
		switch {
		case strings.HasSuffix(name, ".intstr.IntOrString"):
			api.Definitions[name] = object{"type": []any{"string", "integer"}}
		case strings.HasSuffix(name, ".resource.Quantity"):
			api.Definitions[name] = object{"type": []any{"string", "number"}}
		default:
			strict(definition)
		}
	}
	for _, definition := range api.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			used := map[string]object{}
			reach(definition, api.Definitions, used)
			k := kind.(object)
			if err := s.put(k["group"].(string), k["version"].(string), k["kind"].(string), object{"allOf": []any{definition}, "definitions": used}); err != nil {
				return err
			}
		}
	}
	return nil
}

// putCustom puts the kind that a CustomResourceDefinition describes.
func (s shelf) putCustom(t *testing.T, path string) {
	t.Helper()
	definition := read[struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema object }
			}
		}
	}](t, path).Spec
	for _, version := range definition.Versions {
		schema := version.Schema.OpenAPIV3Schema
		strict(schema)
		if err := s.put(definition.Group, version.Name, definition.Names.Kind, schema); err != nil {
			t.Fatal(err)
		}
	}
}

// strict lets nothing stand in an object that its schema does not know, at any
// depth; metadata, of which a custom resource says nothing, is left open.
func strict(schema object) {
	if schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "type")
	}
	properties, _ := schema["properties"].(object)
	_, open := schema["additionalProperties"]
	if len(properties) > 0 && !open && schema["x-kubernetes-preserve-unknown-fields"] != true {
		schema["additionalProperties"] = false
	}
	for _, property := range properties {
		strict(property.(object))
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if below, ok := schema[inner].(object); ok {
			strict(below)
		}
	}
}

// reach collects the definitions that a schema refers to.
func reach(schema any, all, used map[string]object) {
	switch s := schema.(type) {
	case object:
		if to, ok := s["$ref"].(string); ok {
			name := strings.TrimPrefix(to, "#/definitions/")
			if _, known := used[name]; !known {
				used[name] = all[name]
				reach(all[name], all, used)
			}
		}
		for _, below := range s {
			reach(below, all, used)
		}
	case []any:
		for _, below := range s {
			reach(below, all, used)
		}
	}
}

// kubeconform against each version, and against the custom resources' own definitions.
func TestSchemas(t *testing.T) {
	custom := shelf(t.TempDir())
	for _, path := range []string{"podmonitors", "servicemonitors", "prometheusrules"} {
		custom.putCustom(t, filepath.Join(module(t, operator), "example/prometheus-operator-crd/monitoring.coreos.com_"+path+".yaml"))
	}
	custom.putCustom(t, filepath.Join(module(t, keda), "config/crd/bases/keda.sh_scaledobjects.yaml"))
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			api := shelf(t.TempDir())
			if err := api.putAPI(filepath.Join(module(t, "k8s.io/kubernetes@"+version), "api/openapi-spec/swagger.json")); err != nil {
				t.Fatal(err)
			}
			check, err := validator.New([]string{api.pattern(), custom.pattern()}, validator.Opts{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range installations(t) {
				for _, document := range documents(t, one.values) {
					conforms(t, check, one.name, document)
				}
			}
			wrong := check.ValidateResource(resource.Resource{Bytes: []byte("{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {port: 1}}")})
			if wrong.Status != validator.Invalid {
				t.Errorf("an unknown field is let through: %v", wrong)
			}
		})
	}
}

func conforms(t *testing.T, check validator.Validator, installation string, document []byte) {
	t.Helper()
	if result := check.ValidateResource(resource.Resource{Bytes: document}); result.Status != validator.Valid {
		t.Errorf("%s: %v %v\n%s", installation, result.Err, result.ValidationErrors, document)
	}
}
