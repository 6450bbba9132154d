package program

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"
)

// Print writes every setting of spec, a pointer to a loaded settings struct, as
// an aligned table. Of a secret it tells only whether it is set.
func Print(w io.Writer, spec any) error {
	all, err := settingsOf(spec)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tDEFAULT\tMEANING")
	for _, s := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.name, s.shown(), s.usual(), s.explained())
	}
	return table.Flush()
}

const notSet = "(not set)"

// shown is the present value as the operator wrote it, or the default, or what
// the program worked out.
func (s setting) shown() string {
	raw, problem := s.given()
	if problem == nil && raw == "" {
		raw = s.def
	}
	if raw == "" && s.field.Kind() == reflect.String {
		raw = s.field.String()
	}
	switch {
	case problem != nil:
		return "(bad)"
	case raw == "":
		return notSet
	case s.secret():
		return "(set)"
	default:
		return redacted(s.name, raw)
	}
}

func (s setting) usual() string {
	switch {
	case s.def != "":
		return s.def
	case s.absent != "":
		return s.absent
	case s.required:
		return "(required)"
	default:
		return "-"
	}
}

func (s setting) explained() string {
	if s.secret() {
		return s.meaning + " (or " + s.name + fileSuffix + ")"
	}
	return s.meaning
}
