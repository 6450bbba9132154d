package replay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
)

const (
	watchAbout = `watch follows RTE, CALLS and DELIVERIES and says what in them is not as promised, one
line a violation, as it is stored:

missing          CALLS went past an event that the fold of RTE tells
extra            CALLS has an event that the fold does not tell
doubled          CALLS has an event twice
different        CALLS has an event with other content
misplaced        CALLS has an event later than the fold
misnumbered      the events of a call are not numbered 1, 2, 3 and so on
late             CALLS lacks for longer than --late what the fold tells; once for each
                 partition until it has caught up
no-outcome       a delivery has no outcome by its deadline and --grace
second-outcome   a delivery has two
stray-outcome    an outcome of no event, for nobody whom it is for, or not by deliver
shown-after-end  an incoming or answered call was posted more than 250 ms after its end
                 was in CALLS
misordered       delivered to a negotiator behind a later event of the call
wrong-customer   an outcome for another organization than its event, or for another
                 customer than --tenant says

It begins now, with the state of calls as the newest snapshots of transform have it;
with --since it folds RTE from its first message, and trusts nobody. It remembers a
call for --memory after its last event, so what it needs does not grow; --most says
how many at most. What is under way when it ends is not judged.

With HTTP_ADDR (:8080) it answers there as the services do: /metrics, with
ringstream_watch_violations_total by kind and how far it is behind, /healthz, /readyz
and /version. A server that goes away is waited for. DEADLINE_* must be those of
deliver.

Privacy: no number is printed; ids of users and negotiators are.

Exit codes: 0 nothing was found until Ctrl-C or --for was over, 1 something was, 2
wrong arguments or settings, or a stream cannot be read or was made anew.`

	watchExamples = `  replay watch
  replay watch --for 1h -o json | jq -r .kind | sort | uniq -c
  replay watch --since 2h --tenant 29f6e823-b484-e611-80c9-00505689257e=SBOX
  HTTP_ADDR=127.0.0.1:9090 replay watch --tenant '*=SBOX'`
)

// watched is what watch is asked.
type watched struct {
	since             time.Time
	last, late, grace time.Duration
	memory            time.Duration
	most              int
	customers         map[string]string
	format            string
}

// answering is a setting of watch alone.
type answering struct {
	HTTPAddr string `envconfig:"HTTP_ADDR" desc:"address of /healthz, /readyz, /metrics and /version; empty: none"`
}

func (c *command) watchCommand() *cobra.Command {
	var w watched
	var since string
	var tenants []string
	cmd := &cobra.Command{
		Use: "watch", Short: "say live what in the streams is not as promised", Long: watchAbout, Example: watchExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if w.since, err = ParseMoment(since, c.now); err != nil {
				return usage("--since: %v", err)
			}
			if w.customers, err = customersOf(tenants); err != nil {
				return err
			}
			if err := w.valid(); err != nil {
				return err
			}
			return c.watch(cmd.Context(), w)
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "from this moment on, instead of from now: RFC 3339, a date, or how long ago (2h)")
	f.DurationVar(&w.last, "for", 0, "end after so long (default: with Ctrl-C)")
	f.DurationVar(&w.late, "late", time.Minute, "how long CALLS may lack what the fold tells")
	f.DurationVar(&w.grace, "grace", time.Minute, "how much later than its deadline a delivery may end")
	f.DurationVar(&w.memory, "memory", 10*time.Minute, "for how long to remember a call of which nothing is heard")
	f.IntVar(&w.most, "most", 200_000, "calls to remember at most")
	f.StringArrayVar(&tenants, "tenant", nil, "ORGANIZATION=CUSTOMER, as in TENANTS_FILE; * is every other organization; may be repeated")
	f.StringVarP(&w.format, "output", "o", "text", "text or json")
	return cmd
}

func (w *watched) valid() error {
	switch {
	case w.format != "text" && w.format != "json":
		return usage("--output: %q is unknown; write text or json", w.format)
	case w.last < 0 || w.late <= 0 || w.grace < 0 || w.memory <= 0:
		return usage("--for, --late, --grace and --memory are times, and CALLS is never there at once")
	case w.most < 1:
		return usage("--most: %d calls are too few", w.most)
	}
	return nil
}

func customersOf(tenants []string) (map[string]string, error) {
	all := map[string]string{}
	for _, t := range tenants {
		org, customer, ok := strings.Cut(t, "=")
		if org, customer = strings.ToLower(strings.TrimSpace(org)), strings.TrimSpace(customer); !ok || org == "" || customer == "" {
			return nil, usage("--tenant: %q is not ORGANIZATION=CUSTOMER", t)
		}
		all[org] = customer
	}
	return all, nil
}

// watch keeps its connection: a server that goes away is waited for.
func (c *command) watch(ctx context.Context, asked watched) (err error) {
	s, err := c.connection.settings()
	if err != nil {
		return err
	}
	var answers answering
	if err := program.Load(&answers); err != nil {
		return err
	}
	var undo program.Cleanups
	defer undo.Run(&err)
	version := program.ReadVersion(Name)
	registry := telemetry.Metrics(Name, version.Version, version.Revision)
	board := probe.New()
	board.Set("reading", false, "not begun yet")
	if answers.HTTPAddr != "" {
		stop, bound, err := probe.Serve(ctx, answers.HTTPAddr, board, registry, version)
		if err != nil {
			return err
		}
		undo.Add("stop probes", program.Bounded(stop))
		fmt.Fprintf(c.err, "http://%s/metrics\n", bound)
	}
	nc, err := bus.Dial(s.Config, Name, nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(patience/pingsPatience), nats.MaxPingsOutstanding(pingsUnheard))
	if err != nil {
		return err
	}
	undo.Add("close NATS", func() error { nc.Close(); return nil })
	telemetry.NATS(registry, nc.IsConnected, func() uint64 { return nc.Stats().Reconnects })
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	w, err := c.begin(ctx, js, s, asked)
	if err != nil {
		return err
	}
	w.gauges = measure(registry)
	board.Func("reading", w.gauges.current)
	fmt.Fprintf(c.err, "watching from RTE %d, CALLS %d and DELIVERIES %d on\n", w.rte.from, w.calls.from, w.deliveries.from)
	return w.run(ctx)
}
