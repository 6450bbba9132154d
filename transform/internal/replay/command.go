package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ringstream/schemas/program"
)

// Name of the program, in its inbox prefix too.
const Name = "replay"

// Exit codes.
const (
	Clean     = 0 // done; diff: equal
	Different = 1 // diff: CALLS differs; coverage: there are gaps; explain: the streams do not say why; watch: they are not as promised
	Trouble   = 2 // wrong arguments or settings, nothing of what was asked for, or it could not be done to the end
)

// IO is what the command reads its surroundings from and writes to.
type IO struct {
	In       io.Reader // nil: nothing
	Out, Err io.Writer
	Colour   bool // Out is a terminal
	Progress bool // Err is a terminal
	Now      time.Time
	Patience time.Duration // with a server that goes away; 0: half a minute
}

// Sentinels of the package.
var (
	// ErrDiffer means that CALLS does not hold what the fold says.
	ErrDiffer = errors.New("CALLS differs from the fold of RTE")
	// ErrBehind means that CALLS does not hold yet all that RTE implies.
	ErrBehind = errors.New("CALLS is behind RTE")
	// ErrUnexplained means that the streams do not say why.
	ErrUnexplained = errors.New("the streams do not say why")
	// ErrBroken means that watch has found what is not as promised.
	ErrBroken = errors.New("the streams are not as promised")

	// errUsage marks what the caller of the program got wrong.
	errUsage = errors.New("see --help")
)

func usage(format string, args ...any) error {
	return fmt.Errorf("%s; %w", fmt.Sprintf(format, args...), errUsage)
}

// Main runs what args ask for until ctx ends and returns the exit code.
func Main(ctx context.Context, args []string, io IO) int {
	io.Err = &shared{Writer: io.Err}
	c := &command{in: io.In, out: io.Out, err: io.Err, colour: palette(io.Colour), now: io.Now, patience: cmp.Or(io.Patience, patience)}
	if io.Progress {
		c.bar = io.Err
	}
	root := c.root()
	root.SetArgs(append([]string{}, args...)) // of nil, cobra would make os.Args
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	err := c.execute(ctx, root, args)
	if err != nil && !answer(err) {
		fmt.Fprintf(io.Err, "%s: %s\n", Name, oneLine(err))
	}
	return c.code(err)
}

func (c *command) execute(ctx context.Context, root *cobra.Command, args []string) error {
	if slices.Equal(args, []string{introspect}) {
		return asPlugin(root, c.out)
	}
	return root.ExecuteContext(ctx)
}

// oneLine makes one line of an error, but a list of bad settings stays one.
func oneLine(err error) string {
	if bad := (*program.SettingsError)(nil); errors.As(err, &bad) {
		return "bad settings:\n  " + strings.ReplaceAll(bad.Error(), "\n", "\n  ")
	}
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}

// command is one call of the program.
type command struct {
	in            io.Reader
	out, err, bar io.Writer
	colour        palette
	now           time.Time
	patience      time.Duration
	connection    connection
}

// code tells a mistake in the arguments, which cobra reports in its own words,
// from a failure of the work.
func (c *command) code(err error) int {
	switch {
	case err == nil:
		return Clean
	case answer(err):
		return Different
	default:
		return Trouble
	}
}

// answer reports whether an error is what was asked for, and has been printed.
func answer(err error) bool {
	return slices.ContainsFunc([]error{ErrDiffer, ErrUncovered, ErrUnexplained, ErrBroken}, func(a error) bool { return errors.Is(err, a) })
}

const (
	about = `replay folds the raw telephone events of the stream RTE again, by the same code
as transform, and prints the call events that come of it or compares them with
those in CALLS. It also tells when nobody listened, and why a screen was told of a
call or was not, follows calls live, watches over what is promised, shows calls in a
browser, and takes one along in a file. It only reads, but for import, which fills a
server of its own: no stream, consumer or service notices it.

The connection is set by the NATS_* variables or by flags. RING_TIMEOUT,
TALK_TIMEOUT, SETTLE_TIMEOUT and CLOSED_MEMORY must be those of transform. A user
with permissions of its own needs to publish to $JS.API.STREAM.INFO.* and
$JS.API.CONSUMER.{CREATE,MSG.NEXT,DELETE}.*.* and, for explain, tail and serve,
$JS.API.CONSUMER.CREATE.*.>, for watch $JS.API.STREAM.MSG.GET.*, and to subscribe to
_INBOX_replay.>

A connection that is lost is waited for: half a minute long, and then what was
printed is not all, the exit code is 2, and no bundle is left; by tail, serve and
watch, without end.

Exit codes: 0 done (diff: equal; coverage: no gap; explain: answered), 1 diff:
different, coverage: there are gaps, explain: the streams do not say why, watch: they
are not as promised, 2 wrong arguments or settings, nothing there of what was asked
for, or it could not be done to the end.`

	examples = `  replay run --since 2h
  replay run --call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30 -o story
  replay diff && echo "CALLS holds what RTE says"
  replay coverage --since 24h
  replay export --call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30 -o call.bundle
  replay explain user jane@agency.example --at 2026-11-02T09:12
  replay serve`

	runAbout = `run folds RTE from its first message, so that the state is right, and prints the
call events that it told in the span selected, by the stored time of the message
that made it tell them. Times are UTC. With a FILE, which export has written, it
folds that instead, within the settings that it carries, and asks no server.

text   one line an event: when it was told and when it happened, <call>/<n>, type,
       the caller's last digits, who is told, and the raw event it follows
json   the data of one call event a line, as CALLS has it; diff --against reads it
story  one call (--call) as a test of the call model: what RTE said and what
       became of it, with aliases for its users, queues and numbers

Privacy: -o json prints telephone numbers in full, since diff --against needs them;
text shows the last digits alone, and a story aliases.`

	runExamples = `  replay run --since 2h
  replay run --since 2026-11-02T09:00:00Z --until 2026-11-02T10:00:00Z
  replay run --org 29f6e823-b484-e611-80c9-00505689257e -o json | jq .type
  replay run --call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30 -o story > story.txtar
  replay run call.bundle
  replay run --server nats://nats.example:4222 --creds replay.creds`

	diffAbout = `diff compares what this program makes of RTE with what CALLS holds: for every
call the same events, in the same order, with the same content. The order of
different calls does not matter. It names each call that differs, the first
event at which the two part, and why; then it counts the differences by kind, and
the calls by where they part. So it accepts a transform that runs beside another,
or a change of it.

It compares up to the last message that RTE has when it starts, or up to --until.
What CALLS does not hold yet it waits for, --wait long; if transform has not come
so far by then, diff says so and ends with 2. Calls that began before the first
message that RTE still has cannot be folded rightly; they are counted and left out.

--against compares with FILE instead, which is what another replay has printed of
the same RTE by "run -o json"; "-" is standard input. Of these lines the data are
compared, and nothing else is there. If RTE goes on meanwhile, give both the same
--until.

text   a few lines a call
json   one line a call: call, kind (missing, extra, doubled, different or
       misplaced: of what CALLS or FILE holds), event (<call>/<n>), type, nth of the
       call, rte (the position), cause, why, fields that differ, differences of the
       call by kind; then a line {"summary": ...}

Exit codes: 0 equal, 1 different, 2 wrong arguments or settings, or could not be
compared to the end.`

	diffExamples = `  replay diff
  replay diff --wait 1m --server nats://nats.example:4222
  replay diff -o json | jq -r 'select(.call) | .call'
  other/replay run -o json | replay diff --against -
  RING_TIMEOUT=90s replay diff`
)

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use: Name, Short: "fold the raw stream again, to see what it says and whether CALLS agrees", Long: about, Example: examples,
		Version: program.ReadVersion(Name).String(), SilenceErrors: true, SilenceUsage: true,
		Args:              cobra.NoArgs,
		PersistentPreRunE: filled,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	c.connection.bind(root.PersistentFlags())
	root.AddCommand(c.runCommand(), c.diffCommand(), c.coverageCommand(), c.explainCommand(), c.tailCommand(), c.watchCommand(), c.serveCommand(), c.exportCommand(), c.importCommand())
	completes(root)
	pointsToHelp(root)
	return root
}

// pointsToHelp has what cobra says of flags and arguments end as our own errors do.
func pointsToHelp(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%v", err) })
	if valid := cmd.Args; valid != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := valid(cmd, args)
			if err == nil || errors.Is(err, errUsage) {
				return err
			}
			return usage("%v", err)
		}
	}
	for _, sub := range cmd.Commands() {
		pointsToHelp(sub)
	}
}

func (c *command) runCommand() *cobra.Command {
	var since, until, format string
	var sel Selection
	cmd := &cobra.Command{
		Use: "run [FILE]", Short: "print the call events that RTE implies", Long: runAbout, Example: runExamples, Args: cobra.MatchAll(cobra.MaximumNArgs(1), named),
		RunE: func(cmd *cobra.Command, files []string) error {
			sel, err := c.selection(sel, since, until, format)
			if err != nil {
				return err
			}
			if len(files) > 0 {
				s, err := bundleTape(files[0])
				if err != nil {
					return err
				}
				return c.run(cmd.Context(), s, sel, format)
			}
			return c.connected(cmd.Context(), func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				rte, err := streamTape(ctx, js, s)
				if err != nil {
					return err
				}
				return c.run(ctx, rte, sel, format)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "from this moment on: RFC 3339, a date, or how long ago (2h)")
	f.StringVar(&until, "until", "", "before this moment")
	f.StringVar(&sel.Call, "call", "", "id of the only call")
	f.StringVar(&sel.Org, "org", "", "id of the only organization")
	f.StringVarP(&format, "output", "o", "text", "text, json or story")
	return cmd
}

// filled refuses flags that were given but are empty: what they were to narrow
// would be everything, and the server another.
func filled(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && strings.TrimSpace(f.Value.String()) == "" {
			err = usage("--%s was given but is empty, as a variable of the shell may be", f.Name)
		}
	})
	return err
}

// named refuses a file without a name.
func named(_ *cobra.Command, files []string) error {
	if len(files) > 0 && strings.TrimSpace(files[0]) == "" {
		return usage("name a file that export has written: the name is empty")
	}
	return nil
}

// selection checks the flags of run.
func (c *command) selection(sel Selection, since, until, format string) (Selection, error) {
	sel.Call, sel.Org = strings.ToLower(strings.TrimSpace(sel.Call)), strings.ToLower(strings.TrimSpace(sel.Org))
	var err error
	if sel.Since, err = ParseMoment(since, c.now); err != nil {
		return sel, usage("--since: %v", err)
	}
	if sel.Until, err = ParseMoment(until, c.now); err != nil {
		return sel, usage("--until: %v", err)
	}
	switch {
	case !slices.Contains([]string{"text", "json", "story"}, format):
		return sel, usage("--output: %q is unknown; write text, json or story", format)
	case !sel.Until.IsZero() && !sel.Since.Before(sel.Until):
		return sel, usage("--since is not before --until: nothing lies between them")
	case format == "story" && sel.Call == "":
		return sel, usage("a story is about one call; name it with --call")
	case format == "story" && (sel.Org != "" || !sel.Since.IsZero() || !sel.Until.IsZero()):
		return sel, usage("a story is about a whole call; leave out --since, --until and --org")
	}
	return sel, nil
}

func (c *command) diffCommand() *cobra.Command {
	var asked differing
	var until string
	cmd := &cobra.Command{
		Use: "diff", Short: "compare CALLS, or what another replay printed, with what RTE implies",
		Long: diffAbout, Example: diffExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if asked.until, err = ParseMoment(until, c.now); err != nil {
				return usage("--until: %v", err)
			}
			switch {
			case asked.wait < 0:
				return usage("--wait: %s is less than nothing", asked.wait)
			case asked.limit < 0:
				return usage("--limit: %d is less than nothing", asked.limit)
			case asked.format != "text" && asked.format != "json":
				return usage("--output: %q is unknown; write text or json", asked.format)
			case asked.against != "" && cmd.Flags().Changed("wait"):
				return usage("--wait is for CALLS; a file is read as it is")
			}
			return c.connected(cmd.Context(), func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				return c.diff(ctx, js, s, asked)
			})
		},
	}
	f := cmd.Flags()
	f.DurationVar(&asked.wait, "wait", 5*time.Second, "how long CALLS may take to catch up")
	f.StringVar(&asked.against, "against", "", "file that another replay's run -o json has written; - is standard input")
	f.StringVar(&until, "until", "", "only what RTE stored before this moment: RFC 3339, a date, or how long ago (2h)")
	f.IntVar(&asked.limit, "limit", 0, "list so many calls at most; all are counted (default all)")
	f.StringVarP(&asked.format, "output", "o", "text", "text or json")
	return cmd
}
