package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"ringstream/schemas/probe"
)

// patience is how long all dependencies together may take to answer.
const patience = 30 * time.Second

var errInterrupted = errors.New("check: interrupted")

func (c *call[T]) check() int {
	all, err := settingsOf(&c.settings)
	if err != nil {
		return c.failed(err)
	}
	if err := Load(&c.settings); err != nil {
		var bad *SettingsError
		if !errors.As(err, &bad) {
			return c.failed(err)
		}
		c.report(all, failures(bad))
		fmt.Fprintln(c.stdout, "dependencies were not tried: the settings come first")
		return BadUsage
	}
	var tried []probe.Result
	err = underSignals(slog.New(slog.DiscardHandler), grace, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if c.program.Check != nil {
			tried = c.program.Check(ctx, c.settings)
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return errInterrupted
		}
		return nil // past the deadline the results tell what did not answer
	})
	if err != nil {
		return c.failed(err)
	}
	return c.report(all, tried)
}

func failures(bad *SettingsError) []probe.Result {
	results := make([]probe.Result, len(bad.Problems))
	for i, p := range bad.Problems {
		results[i] = probe.Result{Name: p.Setting, Detail: strings.TrimPrefix(p.String(), p.Setting+": ")}
	}
	return results
}

// report prints settings in their order, each with what was found out about it
// or else its value, and then what belongs to no setting.
func (c *call[T]) report(all []setting, found []probe.Result) int {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	code := Clean
	line := func(r probe.Result) {
		word := "ok"
		if !r.OK {
			word, code = "FAIL", Failure
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", word, r.Name, c.line(r.Detail))
	}
	printed := make([]bool, len(found))
	for _, s := range all {
		known := false
		for i, r := range found {
			if subject(r.Name) == s.name {
				line(r)
				known, printed[i] = true, true
			}
		}
		if !known {
			line(probe.Result{Name: s.name, OK: true, Detail: s.shown()})
		}
	}
	for i, r := range found {
		if !printed[i] {
			line(r)
		}
	}
	if err := table.Flush(); err != nil {
		return c.failed(fmt.Errorf("print the report: %w", err))
	}
	return code
}
