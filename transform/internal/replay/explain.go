package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

const (
	explainAbout = `explain says, in its first line, why a screen was told of a call or was not, and
below that who else it concerns, what to check next, and everything that the
streams hold of the call in one timeline: the raw events of RTE with what each
made of whom, the call events of CALLS, the outcomes of DELIVERIES and the dead
letters. It reads what belongs to the call, by its id or by the time, and not
whole streams. "Told" means that Reapit accepted it, which is not "shown".

text   the first line, for whom what, and the timeline: when it was stored, where, and
       what it says; of a raw event when the hub dated it and ingest heard it, and which
       replica's copy is stored (others may have heard it too); of an outcome how
       often it was tried, the status of the last answer, and how long it took
json   one object: call, organization, caller, answer (the first line), users (user,
       negotiator, customer, cause, told, sentence, check) and timeline (at, stream,
       seq, what, moves, and the parts in raw, event, outcome or deadLetter)

Privacy: names and e-mail addresses of users are printed as they are; of
telephone numbers the last three digits, unless --numbers is given.

DEADLINE_INCOMING, DEADLINE_ANSWERED, DEADLINE_ENDED and DEADLINE_MISSED must be
those of deliver.

Exit codes: 0 the first line is the answer, 1 the streams do not say why,
2 wrong arguments or settings, no stream holds anything of what was asked for,
or it could not be read.`

	explainExamples = `  replay explain call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30
  replay explain user jane@agency.example --at 2026-11-02T09:12
  replay explain user JAS --at 20m --within 5m -o json`

	explainCallExamples = `  replay explain call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30
  replay explain call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30 -o json | jq -r '.users[] | .cause'
  replay explain call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30 --numbers`

	explainUserAbout = `user finds the calls that concerned somebody around a moment, --within so long
before and after it, and explains each; if there was none, it says why: nobody
listens to this user, nobody did at that time, or RTE told of none.

WHO is an e-mail address as the telephony provider has it, the id of a user, or
the id of a negotiator; whom that one stands for, the newest outcome tells.

What the streams stored in that time is read; when no call is found, the history
of the subscriptions too, which takes longer.

json   one object: who, user, from, until, answer, calls (each as of explain call) and,
       where there are none, none: why

Privacy and exit codes: as of explain.`
)

// wholeID is how long the id of a call is: RTE's are UUIDs.
const wholeID = 36

// asking is what explain is asked.
type asking struct {
	format  string
	numbers bool
	at      string
	within  time.Duration
}

func (c *command) explainCommand() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use: "explain", Short: "say why a screen was told of a call, or was not", Long: explainAbout, Example: explainExamples, Args: whichExplained,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVarP(&a.format, "output", "o", "text", "text or json")
	f.BoolVar(&a.numbers, "numbers", false, "print telephone numbers in full")
	cmd.AddCommand(c.explainCallCommand(&a), c.explainUserCommand(&a))
	return cmd
}

// whichExplained says how to ask about what was named without saying what it is.
func whichExplained(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	call := args[0]
	if len(call) != wholeID {
		call = "ID"
	}
	return usage("to explain a call: replay explain call %s; to explain a user: replay explain user %s --at 5m", call, args[0])
}

func (c *command) explainCallCommand(a *asking) *cobra.Command {
	return &cobra.Command{
		Use: "call ID", Short: "explain one call", Long: explainAbout, Example: explainCallExamples, Args: one("the id of a call"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := strings.ToLower(strings.TrimSpace(args[0]))
			if err := a.valid(); err != nil {
				return err
			}
			return c.connected(cmd.Context(), func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				return c.explainCall(ctx, js, s, id, *a)
			})
		},
	}
}

func (c *command) explainUserCommand(a *asking) *cobra.Command {
	cmd := &cobra.Command{
		Use: "user WHO --at TIME", Short: "explain the calls of a user around a moment", Long: explainUserAbout, Example: explainExamples, Args: one("a user"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := ParseMoment(a.at, c.now)
			switch {
			case err != nil:
				return usage("--at: %v", err)
			case at.IsZero():
				return usage("around which moment? name it with --at")
			case a.within <= 0:
				return usage("--within: %s is no span of time; write 90s, 10m or 2h", a.within)
			}
			if err := a.valid(); err != nil {
				return err
			}
			return c.connected(cmd.Context(), func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				return c.explainUser(ctx, js, s, args[0], at, *a)
			})
		},
	}
	cmd.Flags().StringVar(&a.at, "at", "", "the moment: RFC 3339, a time of day (09:12), or how long ago (20m); a missing zone is UTC")
	cmd.Flags().DurationVar(&a.within, "within", 10*time.Minute, "how long before and after it")
	return cmd
}

// one asks for exactly one argument, and says of what.
func one(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || strings.TrimSpace(args[0]) == "" {
			return usage("name %s, and nothing else", what)
		}
		return nil
	}
}

func (a asking) valid() error {
	if !slices.Contains([]string{"text", "json"}, a.format) {
		return usage("--output: %q is unknown; write text or json", a.format)
	}
	return nil
}

func (a asking) masking() explain.Masking { return explain.Masking(!a.numbers) }

// gatherer looks at RTE, which tells how many partitions there are.
func (c *command) gatherer(ctx context.Context, js jetstream.JetStream, s Settings) (explain.Gatherer, error) {
	rte, err := stream.RTE(ctx, js, s.Partitions)
	return explain.Gatherer{JS: js, RTE: rte, Limits: s.Limits, Now: rte.Present(c.now)}, err
}

func (c *command) explainCall(ctx context.Context, js jetstream.JetStream, s Settings, id string, a asking) error {
	g, err := c.gatherer(ctx, js, s)
	if err != nil {
		return err
	}
	e, err := g.Call(ctx, id)
	if err != nil {
		return err
	}
	if e.Empty() {
		hint := "explain user finds calls by their time"
		if len(id) != wholeID {
			hint = fmt.Sprintf("the id of a call has %d characters: make run says it above the call (\"A is call …\"), tail in every line; ", wholeID) + hint
		}
		return fmt.Errorf("%w: %s; RTE reaches back to %s; %s", stream.ErrNothing, e.Nothing(), g.RTE.From.Format(explain.StoredFormat), hint)
	}
	answer := explain.Conclude(e, "", s.Deadlines, a.masking())
	if err := c.tellCall(answer, a.format); err != nil {
		return err
	}
	if !answer.Explained() {
		return ErrUnexplained
	}
	return nil
}

func (c *command) explainUser(ctx context.Context, js jetstream.JetStream, s Settings, who string, at time.Time, a asking) error {
	g, err := c.gatherer(ctx, js, s)
	if err != nil {
		return err
	}
	f := explain.Search{Gatherer: g, At: at, From: at.Add(-a.within), Until: at.Add(a.within)}
	if f.Until.After(g.Now) {
		f.Until = g.Now
	}
	if !f.From.Before(f.Until) || f.Until.Before(g.RTE.From) {
		return fmt.Errorf("%w: RTE reaches from %s to %s; --at takes a moment between them", stream.ErrNothing, g.RTE.From.Format(explain.StoredFormat), g.RTE.To.Format(explain.StoredFormat))
	}
	f.Wanted(who)
	if err := f.Run(ctx); err != nil {
		return err
	}
	told := explain.Searched{Who: who, From: f.From, Until: f.Until, Calls: []explain.Answered{}}
	for _, id := range f.Calls {
		e, err := g.Call(ctx, id)
		if err != nil {
			return err
		}
		told.Calls = append(told.Calls, explain.Conclude(e, f.User.UserID, s.Deadlines, a.masking()))
	}
	slices.SortStableFunc(told.Calls, func(a, b explain.Answered) int { return a.When.Compare(b.When) })
	if len(f.Calls) == 0 {
		none, err := f.Absence(ctx, who)
		if err != nil {
			return err
		}
		v := explain.Miss(none)
		told.None = &v
	}
	told.User = f.User
	told.Answer = told.Sum()
	if err := c.tellUser(told, a.format); err != nil {
		return err
	}
	if !told.Explained() {
		return ErrUnexplained
	}
	return nil
}
