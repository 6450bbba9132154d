package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/coverage"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

// ErrUncovered means that nobody listened for some time.
var ErrUncovered = errors.New("not everything was covered")

const (
	coverageAbout = `coverage prints the spans in which an entity (a user, queue or call list) was not
listened to: some event of it that had been subscribed was held by no connection
of any replica of ingest. What happened then is in no stream.

It goes by the coverage events in RTE (feed.>) alone, and by the replicas' clocks.
Times are UTC. A span that is still open has not ended, as far as anybody said.
Nothing is final after the moment up to which all replicas have spoken: one that
is cut off from NATS tells later what it heard.

text   one line a span, for all entities that were missing for as long; "everything"
       where no replica had any subscription; then the seconds of each UTC day, of
       all replicas together and of each by itself
json   one span of one entity a line: entity ("*" for everything), from, until, open
       (it has not ended), why (a list), settled (nothing about it may change any
       more); with --replicas also replica, absent where nobody listened. With --days:
       day, replica, entity, seconds

Of a replica by itself counts what it had subscribed, from its first word on; one
that is silent for a day is no longer expected. What one alone did not hear is no gap.
What the hub refuses to every replica is no gap; it is listed as never heard.

Exit codes: 0 covered, 1 there are gaps, 2 wrong arguments or settings, RTE has no
coverage event or tells of no subscription of the entity, or could not be read.`

	coverageExamples = `  replay coverage
  replay coverage --since 24h || echo "look at what was missed"
  replay coverage --since 168h --days
  replay coverage --replicas
  replay coverage --entity aa9730c4-ce86-e611-80c9-00505689257e -o json`
)

// asked is what coverage is to print.
type asked struct {
	entity       string // in lower case; empty: all
	since, until time.Time
	format       string
	replicas     bool // their own spans too
	days         bool // in place of spans
}

func (c *command) coverageCommand() *cobra.Command {
	var a asked
	var since, until string
	cmd := &cobra.Command{
		Use: "coverage", Short: "print when nobody listened, and to whom", Long: coverageAbout, Example: coverageExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.asked(a, since, until)
			if err != nil {
				return err
			}
			return c.connected(cmd.Context(), func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				return c.coverage(ctx, js, s, a)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.entity, "entity", "", "id of the only user, queue or call list")
	f.StringVar(&since, "since", "", "from this moment on: RFC 3339, a date, or how long ago (2h)")
	f.StringVar(&until, "until", "", "before this moment")
	f.BoolVar(&a.replicas, "replicas", false, "also the spans in which each replica by itself did not listen")
	f.BoolVar(&a.days, "days", false, "only the seconds of each day")
	f.StringVarP(&a.format, "output", "o", "text", "text or json")
	return cmd
}

// asked checks the flags of coverage.
func (c *command) asked(a asked, since, until string) (asked, error) {
	sel, err := c.selection(Selection{}, since, until, "text")
	if err != nil {
		return a, err
	}
	a.entity, a.since, a.until = strings.ToLower(strings.TrimSpace(a.entity)), sel.Since, sel.Until
	if !slices.Contains([]string{"text", "json"}, a.format) {
		return a, usage("--output: %q is unknown; write text or json", a.format)
	}
	return a, nil
}

func (c *command) coverage(ctx context.Context, js jetstream.JetStream, s Settings, a asked) error {
	rte, err := stream.LookRTE(ctx, js, s.Partitions)
	if err != nil {
		return err
	}
	l := newLedgers()
	unreadable := 0
	bar := progress{w: c.bar, what: "reading"}
	err = stream.Read(ctx, js, rte, rte.First, func(m bus.Message) error {
		bar.at(rte, m.Seq)
		if !strings.HasPrefix(m.Subject, "feed.") {
			return nil
		}
		if in, _ := fold.Decode(m); in.Feed != nil {
			l.take(*in.Feed)
		} else {
			unreadable++
		}
		return nil
	})
	bar.done()
	if err != nil {
		return err
	}
	if unreadable > 0 {
		fmt.Fprintf(c.err, "%s of RTE could not be read and changed nothing\n", explain.Count(unreadable, "coverage event"))
	}
	return c.uncovered(l, a, rte.Present(c.now))
}

// uncovered prints what a ledger says.
func (c *command) uncovered(l *ledgers, a asked, now time.Time) error {
	switch {
	case l.Newest().IsZero():
		return fmt.Errorf("%w: RTE holds no coverage event (feed.>); ingest writes one a second: has it run?", stream.ErrNothing)
	case a.entity != "" && !l.Knows(a.entity):
		return fmt.Errorf("%w: RTE tells of no subscription of entity %s; is it in RTE_SUBSCRIPTIONS?", stream.ErrNothing, a.entity)
	case !a.until.IsZero() && !a.until.After(l.First()):
		return fmt.Errorf("%w: the coverage events of RTE begin at %s", stream.ErrNothing, l.First().Format(explain.StoredFormat))
	}
	v := view{ledgers: l, asked: a, window: coverage.Window{From: a.since, Until: a.until, Now: explain.Present(l.Ledger, now)}}
	v.gaps = a.gaps(l.Ledger, v.window)
	out := bufio.NewWriter(c.out)
	var err error
	if a.format == "json" {
		err = v.json(out)
		v.notes(c.err)
	} else {
		v.text(out, c.colour)
		v.notes(out)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if len(v.gaps) > 0 {
		return ErrUncovered
	}
	return nil
}
