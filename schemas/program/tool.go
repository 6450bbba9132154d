package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
)

// Tool is a binary that is no service, such as a simulator: settings, exit
// codes and signals are those of a [Program], and it writes no line of its own.
type Tool[T any] struct {
	Name    string
	Summary string // one line for help

	// Doc is the source of a package comment. Help prints those of its
	// sections (# Heading) that are named.
	Doc      string
	Sections []string

	// Run does the work until ctx is done.
	Run func(ctx context.Context, s T) error
}

// Main is as [Program.Main], without the subcommands check and config: help
// prints the settings.
func (t Tool[T]) Main(args []string, stdout, stderr io.Writer) int {
	c := call[T]{program: Program[T]{Name: t.Name, Summary: t.Summary}, stdout: stdout, stderr: stderr}
	switch {
	case len(args) == 0:
		return c.tool(t.Run)
	case len(args) == 1 && asksHelp(args[0]):
		return c.failed(t.help(stdout))
	case len(args) == 1 && asksVersion(args[0]):
		fmt.Fprintln(stdout, ReadVersion(t.Name))
		return Clean
	default:
		fmt.Fprintf(stderr, "%s: unknown argument %q; its settings come from the environment: see %q\n", t.Name, args[0], t.Name+" --help")
		return BadUsage
	}
}

func (c *call[T]) tool(run func(context.Context, T) error) int {
	if err := Load(&c.settings); err != nil {
		return c.failed(err)
	}
	return c.failed(underSignals(slog.New(slog.DiscardHandler), c.drainLimit(), func(ctx context.Context) error {
		return run(ctx, c.settings)
	}))
}

func (t Tool[T]) help(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n\nusage: %s [version | help]\n\nIt runs until SIGTERM or SIGINT. Exit codes: 0 clean stop, 1 failure, 2 bad settings or usage.\n\nSettings, from the environment:\n\n",
		t.Name, t.Summary, t.Name)
	all, err := settingsOf(new(T))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tDEFAULT\tMEANING")
	for _, s := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.name, s.usual(), s.explained())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, name := range t.Sections {
		fmt.Fprintf(w, "\n%s:\n%s", name, section(t.Doc, name))
	}
	return nil
}

// section is the text of a package comment under one of its headings.
func section(doc, heading string) string {
	var b strings.Builder
	within := false
	for line := range strings.Lines(doc) {
		text, comment := strings.CutPrefix(line, "//")
		switch title, isHeading := strings.CutPrefix(text, " # "); {
		case !comment:
			within = false
		case isHeading:
			within = strings.TrimSpace(title) == heading
		case within:
			b.WriteString(strings.TrimPrefix(text, " "))
		}
	}
	return b.String()
}
