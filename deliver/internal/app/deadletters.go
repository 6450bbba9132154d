package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/program"
)

// DeadLettersUsage is what the subcommand takes.
const DeadLettersUsage = `list|show|redrive [<number or id>…] [--call <id>] [--negotiator <id>] [--reason <word>]
       [--since <time or 2h>] [--until <time or 2h>] [-o text|json]; redrive: a dry run without --yes, [--wait 30s] for the outcomes`

// selection is which dead letters somebody asked for, and how to print them.
type selection struct {
	verb                     string
	which                    []string // numbers and ids; none: all that the rest selects
	call, negotiator, reason string
	since, until             time.Time
	json, yes                bool
	wait                     time.Duration
}

// DeadLetters lists what is in DEADLETTERS, shows it, or has it tried again.
func DeadLetters(ctx context.Context, s Settings, args []string, out io.Writer, _ *slog.Logger) error {
	sel, err := parseSelection(args, time.Now())
	if errors.Is(err, flag.ErrHelp) {
		_, err = fmt.Fprintln(out, "usage: "+name+" deadletters "+DeadLettersUsage)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	nc, err := bus.Dial(s.Config, name)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	found, err := letters(ctx, js, sel.wants)
	if err != nil {
		return err
	}
	if missing := sel.missing(found); missing != "" {
		return fmt.Errorf("no dead letter has the number or id %q", missing)
	}
	known, err := histories(ctx, js, found)
	if err != nil {
		return err
	}
	switch sel.verb {
	case "list":
		return sel.list(found, known, out)
	case "show":
		return sel.show(found, known, out)
	default:
		r := redriver{selection: sel, js: js, out: out}
		return r.run(ctx, found, known)
	}
}

func parseSelection(args []string, now time.Time) (selection, error) {
	var sel selection
	if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		return sel, flag.ErrHelp
	}
	if len(args) == 0 || !slices.Contains([]string{"list", "show", "redrive"}, args[0]) {
		return sel, fmt.Errorf("expected list, show or redrive")
	}
	sel.verb = args[0]
	var since, until, format string
	f := flag.NewFlagSet(sel.verb, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&sel.call, "call", "", "")
	f.StringVar(&sel.negotiator, "negotiator", "", "")
	f.StringVar(&sel.reason, "reason", "", "")
	f.StringVar(&since, "since", "", "")
	f.StringVar(&until, "until", "", "")
	f.StringVar(&format, "o", "text", "")
	if sel.verb == "redrive" {
		f.BoolVar(&sel.yes, "yes", false, "")
		f.DurationVar(&sel.wait, "wait", 30*time.Second, "")
	}
	for rest := args[1:]; len(rest) > 0; { // flags may stand behind numbers, too
		if err := f.Parse(rest); err != nil {
			return sel, err
		}
		if rest = f.Args(); len(rest) > 0 {
			sel.which, rest = append(sel.which, rest[0]), rest[1:]
		}
	}
	var err error
	if sel.since, err = moment(since, now); err != nil {
		return sel, fmt.Errorf("--since: %w", err)
	}
	if sel.until, err = moment(until, now); err != nil {
		return sel, fmt.Errorf("--until: %w", err)
	}
	sel.json = format == "json"
	return sel, sel.check(format)
}

func (sel selection) check(format string) error {
	filtered := sel.call+sel.negotiator+sel.reason != "" || !sel.since.IsZero() || !sel.until.IsZero()
	switch {
	case format != "text" && format != "json":
		return fmt.Errorf("-o: %q is unknown; write text or json", format)
	case !sel.until.IsZero() && !sel.since.Before(sel.until):
		return fmt.Errorf("--since is not before --until: nothing lies between them")
	case sel.verb == "list" && len(sel.which) > 0:
		return fmt.Errorf("list takes no numbers; show does")
	case sel.verb == "show" && len(sel.which) == 0 && !filtered:
		return fmt.Errorf("show which? name a number or an id, or select some")
	case sel.verb == "redrive" && len(sel.which) == 0 && !filtered:
		return fmt.Errorf("redrive which? name numbers or ids, or select some")
	case sel.wait < 0:
		return fmt.Errorf("--wait: %s is less than nothing", sel.wait)
	}
	return nil
}

// moment reads a time, or how long before now it was, as replay does.
func moment(text string, now time.Time) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago.Abs()), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2026-11-02T09:00:00Z, 2026-11-02 09:00 (UTC), 2026-11-02, or how long ago: 90m", text)
}

func (sel selection) wants(l letter) bool {
	switch {
	case len(sel.which) > 0 && !slices.ContainsFunc(sel.which, l.is),
		sel.call != "" && !strings.EqualFold(sel.call, l.CallID),
		sel.negotiator != "" && !strings.EqualFold(sel.negotiator, l.NegotiatorID),
		sel.reason != "" && sel.reason != l.Reason,
		l.At.Before(sel.since),
		!sel.until.IsZero() && !l.At.Before(sel.until):
		return false
	}
	return true
}

func (l letter) is(which string) bool {
	return which == l.id || which == strconv.FormatUint(l.number, 10)
}

// missing is one that was named and is not there.
func (sel selection) missing(found []letter) string {
	for _, which := range sel.which {
		if !slices.ContainsFunc(found, func(l letter) bool { return l.is(which) }) {
			return which
		}
	}
	return ""
}

// listed is a dead letter as -o json prints it.
type listed struct {
	Number   uint64 `json:"number"`
	ID       string `json:"id"`
	Now      string `json:"now,omitempty"`      // how its delivery stands: open, or the last outcome
	Redrives int    `json:"redrives,omitempty"` // that have ended
	event.DeadLetter
}

func listing(l letter, h history) listed {
	x := listed{Number: l.number, ID: l.id, Redrives: h.redrives, DeadLetter: l.DeadLetter}
	if h.found {
		if x.Now = string(h.last.Outcome); h.open() {
			x.Now = "open"
		}
	}
	return x
}

func (sel selection) list(found []letter, known map[pair]history, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !sel.json {
		fmt.Fprintln(table, "NUMBER\tTIME\tSERVICE\tREASON\tCUSTOMER\tNEGOTIATOR\tCALL\tNOW\tDETAIL\tID")
	}
	for _, l := range found {
		x := listing(l, known[l.pair()])
		if sel.json {
			x.Request, x.Event, x.Body = nil, nil, nil // numbers of callers are for show
			if err := printJSON(out, x, ""); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.number, l.At.UTC().Format(time.RFC3339), l.Service, l.Reason,
			dash(l.Customer), dash(l.NegotiatorID), dash(l.CallID), dash(x.Now), dash(l.Detail), l.id)
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (sel selection) show(found []letter, known map[pair]history, out io.Writer) error {
	indent := "  "
	if sel.json {
		indent = ""
	}
	for _, l := range found {
		if err := printJSON(out, listing(l, known[l.pair()]), indent); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(out io.Writer, x any, indent string) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", indent)
	if err := enc.Encode(x); err != nil {
		return fmt.Errorf("print a dead letter: %w", err)
	}
	return nil
}
