package replay

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/bundle"
	"ringstream/transform/internal/replay/explain"
)

const (
	exportAbout = `export writes a bundle: one call, or the calls of a span and what else RTE said in
it, with the coverage events that the fold needs, the call events, how they were
delivered, and the dead letters, in one file. Calls are taken whole, also what of
them lies outside the span.

Unless --real is given, nobody's name, number or words are in it: user names,
numbers, names of customers and negotiators become aliases, the same ones
everywhere; numbers keep their first digits; texts are left out. Ids that are
GUIDs, times, types of events and reasons stay. The aliases are drawn anew for
each bundle; nothing tells who is behind them.

run folds a bundle by itself; import puts it on a server. What comes of it is
compared with what comes of all of RTE, and told if it is not the same.`

	exportExamples = `  replay export --call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30 -o call.bundle
  replay export --since 2026-11-02T09:00 --until 2026-11-02T10:00 -o hour.bundle
  replay run call.bundle`
)

func (c *command) exportCommand() *cobra.Command {
	var since, until, file string
	var sel Selection
	var real bool
	cmd := &cobra.Command{
		Use: "export -o FILE", Short: "write a call or a span of all streams to a file, under aliases", Long: exportAbout, Example: exportExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sel, err := c.selection(sel, since, until, "text")
			switch {
			case err != nil:
				return err
			case file == "":
				return usage("--output: name a file")
			case (sel.Call == "") == (sel.Since.IsZero() && sel.Until.IsZero()):
				return usage("say what to export: either --call, or --since, --until or both")
			}
			return c.connected(cmd.Context(), func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				return c.export(ctx, js, s, sel, file, real)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "from this moment on: RFC 3339, a date, or how long ago (2h)")
	f.StringVar(&until, "until", "", "before this moment")
	f.StringVar(&sel.Call, "call", "", "id of the only call")
	f.StringVarP(&file, "output", "o", "", "file to write")
	f.BoolVar(&real, "real", false, "leave names, numbers and texts as they are")
	return cmd
}

// export looks at RTE twice: which calls there are, and what they are made of.
func (c *command) export(ctx context.Context, js jetstream.JetStream, s Settings, sel Selection, path string, real bool) error {
	rte, err := streamTape(ctx, js, s)
	if err != nil {
		return err
	}
	v, err := c.survey(ctx, rte, sel)
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	head := bundle.Head{
		Format: bundle.Format, Version: bundle.Version, Contract: bundle.Contract, By: program.ReadVersion(Name).String(), At: c.now.UTC(),
		Real: real, Partitions: rte.rte.Partitions, Settings: bundle.SettingsOf(s.Limits), Call: sel.Call, Since: sel.Since, Until: sel.Until,
	}
	alias := bundle.NewPseudonyms(key, rte.rte.Partitions)
	if !real {
		head.Call = alias.ID(sel.Call)
	}
	w, err := bundle.Create(path, head)
	if err != nil {
		return err
	}
	defer w.Drop()
	x := exporter{survey: v, out: w, alias: alias, real: real, bar: progress{w: c.bar, what: "exporting"}}
	if err = rte.read(ctx, x.raw); err == nil { // else the file takes no more
		err = x.others(ctx, js)
	}
	x.bar.done()
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		return err
	}
	return c.exported(ctx, x, path)
}

// exported tells what was written, and whether it comes to the same.
func (c *command) exported(ctx context.Context, x exporter, path string) error {
	again, err := bundleTape(path)
	if err != nil {
		return err
	}
	want, have := x.told(), map[string]string{}
	refold := NewRefold(again.rte.Partitions, again.limits)
	err = again.read(ctx, func(m bus.Message) error {
		_, told := refold.Take(m)
		for _, t := range told {
			have[t.Call.EventID()] = outline(t)
		}
		return nil
	})
	if err != nil {
		return err
	}
	differ := 0
	for id, as := range want {
		if have[id] != as {
			differ++
		}
	}
	kinds := make([]string, 0, len(bundled))
	for _, stream := range bundled {
		kinds = append(kinds, fmt.Sprintf("%s %d", stream, x.out.Count[stream]))
	}
	note := "names, numbers and texts are aliases"
	if x.real {
		note = "with names and numbers of people"
	}
	fmt.Fprintf(c.out, "%s: %s, %s; %s\n", path, explain.Count(len(x.chosen), "call"), strings.Join(kinds, ", "), note)
	if x.leftOut > 0 {
		fmt.Fprintf(c.err, "%s of other writers left out\n", explain.Count(x.leftOut, "message"))
	}
	if differ > 0 {
		fmt.Fprintf(c.err, "%d of %s come out otherwise of the bundle than of all of RTE\n", differ, explain.Count(len(want), "call event"))
	}
	return nil
}

// bundled are the streams of a bundle. CALL_LOG_<p> has what CALLS has.
var bundled = []string{topology.RTE, topology.Calls, topology.Deliveries, topology.DeadLetters}
