package program

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Problem is one thing wrong with one setting.
type Problem struct {
	Setting string // its name in the environment
	Wrong   string // what is wrong
	Want    string // what is expected; may be empty
}

func (p Problem) String() string {
	if p.Want == "" {
		return p.Setting + ": " + p.Wrong
	}
	return p.Setting + ": " + p.Wrong + "; expected " + p.Want
}

// Checker is implemented by settings structs, at any depth, whose values have
// rules beyond their type. Settings that could not be read at all are not
// reported a second time.
type Checker interface{ Problems() []Problem }

// Validator is a [Checker] for packages that do not know this one, such as bus:
// what is wrong, by the setting's name.
type Validator interface{ Invalid() map[string]string }

// SettingsError holds every bad setting, in the order of the struct.
type SettingsError struct{ Problems []Problem }

func (e *SettingsError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// errSpec is a mistake of the programmer, not of the operator.
var errSpec = errors.New("settings must be a pointer to a struct")

// Load fills spec, a pointer to a settings struct, from the environment. Its
// error is a [*SettingsError] with all that is wrong; no secret appears in it.
func Load(spec any) error {
	all, err := settingsOf(spec)
	if err != nil {
		return err
	}
	var found []Problem
	for _, s := range all {
		if p := s.load(); p != nil {
			found = append(found, *p)
		}
	}
	found = merge(found, checks(reflect.ValueOf(spec)))
	if len(found) == 0 {
		return nil
	}
	hide := secretsOf(all)
	for i := range found {
		found[i].Wrong = without(hide, found[i].Wrong)
		found[i].Want = without(hide, found[i].Want)
	}
	sortLike(found, all)
	return &SettingsError{Problems: found}
}

// setting is one field of a settings struct.
type setting struct {
	name, def, absent, meaning string
	required                   bool
	field                      reflect.Value
}

func settingsOf(spec any) ([]setting, error) {
	v := reflect.ValueOf(spec)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w, not %T", errSpec, spec)
	}
	return fields(v.Elem()), nil
}

func fields(v reflect.Value) []setting {
	var all []setting
	for i := range v.NumField() {
		tag, f := v.Type().Field(i).Tag, v.Field(i)
		name := tag.Get("envconfig")
		switch {
		case name != "" && f.CanSet():
			all = append(all, setting{
				name: name, def: tag.Get("default"), absent: tag.Get("absent"), meaning: tag.Get("desc"),
				required: tag.Get("required") == "true", field: f,
			})
		case name == "" && f.Kind() == reflect.Struct:
			all = append(all, fields(f)...)
		}
	}
	return all
}

func (s setting) load() *Problem {
	raw, problem := s.given()
	switch {
	case problem != nil:
		return problem
	case raw == "" && s.def != "":
		raw = s.def
	case raw == "" && s.required:
		return &Problem{Setting: s.name, Wrong: "is required and not set", Want: s.meaning}
	}
	if raw == "" {
		return nil
	}
	if err := s.assign(raw); err != nil {
		return s.unreadable(raw, err)
	}
	return nil
}

// nowhere is a prefix that no environment uses, so that envconfig takes the
// value it is given.
const nowhere = "ringstream_program_value"

// assign converts by envconfig. Process stops at the first bad setting and
// puts its value into the error; so each setting is processed alone, in a
// struct of its own, with its value as the default. Secrets are strings and
// need no conversion: they never get into a type's tag, which lives for ever.
func (s setting) assign(raw string) error {
	if s.secret() {
		if s.field.Kind() != reflect.String {
			return errors.New("secrets are read as strings only")
		}
		s.field.SetString(raw)
		return nil
	}
	alone := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value", Type: s.field.Type(), Tag: reflect.StructTag("default:" + strconv.Quote(raw)),
	}}))
	if err := envconfig.Process(nowhere, alone.Interface()); err != nil {
		return err
	}
	s.field.Set(alone.Elem().Field(0))
	if list, ok := s.field.Interface().([]string); ok {
		s.field.Set(reflect.ValueOf(trimmed(list)))
	}
	return nil
}

// trimmed forgives "a, b" and "a,b,".
func trimmed(list []string) []string {
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func (s setting) unreadable(raw string, err error) *Problem {
	p := &Problem{Setting: s.name, Wrong: "cannot be read", Want: expected(s.field.Type())}
	if s.secret() {
		return p
	}
	p.Wrong = strconv.Quote(redacted(s.name, raw)) + " cannot be read"
	var parse *envconfig.ParseError
	if p.Want == "" && errors.As(err, &parse) {
		p.Wrong += ": " + parse.Err.Error()
	}
	return p
}

// expected is what a type of the language wants to see; a type with a decoder
// of its own says so in its own error.
func expected(t reflect.Type) string {
	if _, own := reflect.New(t).Interface().(envconfig.Decoder); own {
		return ""
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return `a duration such as "30s" or "2m"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		return "a whole number"
	case t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64:
		return "a whole number, zero or more"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	default:
		return ""
	}
}

// checks asks every struct within v for its problems. A struct that embeds one
// checker only answers for it as well; merge drops the repetition.
func checks(v reflect.Value) []Problem {
	var found []Problem
	if c, ok := v.Interface().(Checker); ok {
		found = c.Problems()
	}
	if c, ok := v.Interface().(Validator); ok {
		invalid := c.Invalid()
		for _, name := range slices.Sorted(maps.Keys(invalid)) {
			found = append(found, Problem{Setting: name, Wrong: invalid[name]})
		}
	}
	for i := range v.Elem().NumField() {
		f := v.Elem().Field(i)
		plain := v.Elem().Type().Field(i).Tag.Get("envconfig") == ""
		if plain && f.Kind() == reflect.Struct && f.CanSet() {
			found = append(found, checks(f.Addr())...)
		}
	}
	return found
}

func merge(unread, checked []Problem) []Problem {
	merged := unread
	for _, p := range checked {
		known := slices.Contains(merged, p) ||
			slices.ContainsFunc(unread, func(u Problem) bool { return subject(u.Setting) == p.Setting })
		if !known {
			merged = append(merged, p)
		}
	}
	return merged
}

func sortLike(found []Problem, all []setting) {
	place := func(p Problem) int {
		at := slices.IndexFunc(all, func(s setting) bool { return s.name == subject(p.Setting) })
		if at < 0 {
			return len(all)
		}
		return at
	}
	slices.SortStableFunc(found, func(a, b Problem) int { return place(a) - place(b) })
}
