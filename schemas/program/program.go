package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
)

// Exit codes.
const (
	Clean    = 0 // stopped as asked
	Failure  = 1 // could not go on, or a check failed
	BadUsage = 2 // bad settings or an unknown command
)

// ErrUsage is wrapped by a command that was given the wrong arguments.
var ErrUsage = errors.New("usage")

// Program is one binary. T is its settings struct; with [Common] embedded, Main
// makes the logger that it asks for.
type Program[T any] struct {
	Name    string
	Summary string // one line for help

	// Run does the work until ctx is done, then drains within SHUTDOWN_TIMEOUT.
	Run func(ctx context.Context, s T, log *slog.Logger) error

	// Check tries each dependency. A result named like a setting stands in that
	// setting's line; its detail says what to do if it failed.
	Check func(ctx context.Context, s T) []probe.Result

	Commands map[string]Command[T] // further subcommands

	// Later names settings that are described for the program and that this
	// version does not know: who sets one is told, not left in doubt.
	Later []string
}

// Command is a subcommand of one program, such as "deadletters".
type Command[T any] struct {
	Summary string // one line for help
	Usage   string // its arguments: "list|show <id>|redrive <id>"

	// Needs names the settings that must be right, in full or as a prefix that
	// ends in "_"; nil means all. It lets an operator list dead letters without
	// holding the CRM's secrets.
	Needs []string

	Run func(ctx context.Context, s T, args []string, stdout io.Writer, log *slog.Logger) error
}

// Main runs what args (without the program's name) ask for and returns the
// exit code. It takes SIGTERM and SIGINT for itself until it returns: the
// first cancels the context that Run was given, the second makes Main return
// at once, and so does a Run that outstays SHUTDOWN_TIMEOUT; the caller is
// expected to exit then. Main also makes the program's logger slog's default.
func (p Program[T]) Main(args []string, stdout, stderr io.Writer) int {
	c := call[T]{program: p, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		return c.run()
	}
	name, rest := args[0], args[1:]
	if command, ok := p.Commands[name]; ok {
		return c.command(name, command, rest)
	}
	if len(rest) > 0 {
		return c.misused("%s takes no arguments", name)
	}
	switch {
	case name == "check":
		return c.check()
	case name == "config":
		return c.config()
	case asksVersion(name):
		fmt.Fprintln(stdout, ReadVersion(p.Name))
		return Clean
	case asksHelp(name):
		c.usage(stdout)
		return Clean
	default:
		return c.misused("unknown command %q", name)
	}
}

func asksVersion(arg string) bool { return arg == "version" || arg == "--version" }
func asksHelp(arg string) bool    { return arg == "help" || arg == "-h" || arg == "--help" }

// call is one call of Main.
type call[T any] struct {
	program        Program[T]
	stdout, stderr io.Writer
	settings       T
}

func (c *call[T]) run() int {
	if err := Load(&c.settings); err != nil {
		return c.failed(err)
	}
	log, flush, err := c.logger(c.stdout)
	if err != nil {
		return c.failed(err)
	}
	defer flush()
	v := ReadVersion(c.program.Name)
	log.Info("starting", "program", v.Program, "version", v.Version, "revision", v.Revision)
	if ignored := present(c.program.Later); len(ignored) > 0 {
		log.Warn("settings that this version does not know are ignored", "settings", ignored)
	}
	err = underSignals(log, c.drainLimit(), func(ctx context.Context) error {
		return c.program.Run(ctx, c.settings, log)
	})
	return c.failed(err)
}

// present are the settings that have a value, themselves or as a file.
func present(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return os.Getenv(name) == "" && os.Getenv(name+fileSuffix) == ""
	})
}

func (c *call[T]) command(name string, command Command[T], args []string) int {
	if err := needed(Load(&c.settings), command.Needs); err != nil {
		return c.failed(err)
	}
	log, flush, err := c.logger(c.stderr)
	if err != nil {
		return c.failed(err)
	}
	defer flush()
	err = underSignals(log, c.drainLimit(), func(ctx context.Context) error {
		return command.Run(ctx, c.settings, args, c.stdout, log)
	})
	if errors.Is(err, ErrUsage) {
		fmt.Fprintf(c.stderr, "%s %s: %v\nusage: %s %s %s\n", c.program.Name, name, err, c.program.Name, name, command.Usage)
		return BadUsage
	}
	return c.failed(err)
}

// needed drops the problems of settings that a command does without.
func needed(err error, names []string) error {
	var bad *SettingsError
	if !errors.As(err, &bad) || names == nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(bad.Problems), func(p Problem) bool {
		return !slices.ContainsFunc(names, func(n string) bool {
			return subject(p.Setting) == n || strings.HasSuffix(n, "_") && strings.HasPrefix(p.Setting, n)
		})
	})
	if len(kept) == 0 {
		return nil
	}
	return &SettingsError{Problems: kept}
}

func (c *call[T]) config() int {
	bad := Load(&c.settings)
	if err := Print(c.stdout, &c.settings); err != nil {
		return c.failed(err)
	}
	return c.failed(bad)
}

// logger also makes itself slog's default, so that libraries write the same lines.
func (c *call[T]) logger(w io.Writer) (*slog.Logger, func(), error) {
	level, format := "info", "json"
	if s, ok := any(c.settings).(interface{ common() Common }); ok {
		level, format = s.common().LogLevel, s.common().LogFormat
	}
	plain, err := telemetry.Logger(w, level, format)
	if err != nil {
		return nil, nil, err
	}
	limited := telemetry.NewRepeats(plain.Handler(), telemetry.DefaultLimit())
	log := slog.New(limited)
	slog.SetDefault(log)
	return log, limited.Flush, nil
}

// failed turns an error into one clear line, or a list of bad settings, and an exit code.
func (c *call[T]) failed(err error) int {
	if err == nil {
		return Clean
	}
	var bad *SettingsError
	if errors.As(err, &bad) {
		fmt.Fprintf(c.stderr, "%s: bad settings:\n", c.program.Name)
		for _, p := range bad.Problems {
			fmt.Fprintf(c.stderr, "  %s\n", c.line(p.String()))
		}
		return BadUsage
	}
	fmt.Fprintf(c.stderr, "%s: %s\n", c.program.Name, c.line(err.Error()))
	return Failure
}

// line takes secrets out of what others wrote, and makes one line of it.
func (c *call[T]) line(text string) string {
	if all, err := settingsOf(&c.settings); err == nil {
		text = without(secretsOf(all), text)
	}
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
}

func (c *call[T]) misused(format string, args ...any) int {
	fmt.Fprintf(c.stderr, c.program.Name+": "+format+"\n\n", args...)
	c.usage(c.stderr)
	return BadUsage
}

func (c *call[T]) usage(w io.Writer) {
	p := c.program
	fmt.Fprintf(w, "%s: %s\n\nusage: %s [command]\n\n", p.Name, p.Summary, p.Name)
	line := func(name, summary string) { fmt.Fprintf(w, "  %-12s %s\n", name, summary) }
	line("(none)", "run until SIGTERM or SIGINT; the second one stops at once")
	line("check", "try every setting and dependency, one line each; exit 1 on any failure")
	line("config", "print every setting: value, default, meaning")
	line("version", "print the version")
	line("help", "print this")
	for _, name := range slices.Sorted(maps.Keys(p.Commands)) {
		line(name, p.Commands[name].Summary)
		fmt.Fprintf(w, "  %-12s   %s %s %s\n", "", p.Name, name, p.Commands[name].Usage)
	}
	fmt.Fprintf(w, "\nSettings come from the environment: see %q.\nExit codes: 0 clean stop, 1 failure, 2 bad settings or usage.\n", p.Name+" config")
}
