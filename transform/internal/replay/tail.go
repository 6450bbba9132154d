package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

const (
	tailAbout = `tail follows the streams from now on: one line for each raw event of a call, with
what it makes of whom, each call event and each outcome. Between two streams the
order is that of their arrival here. Ctrl-C ends it.

Privacy: as of explain.

Exit codes: 0 ended by Ctrl-C, 2 wrong arguments or settings, or could not be read.`

	tailExamples = `  replay tail
  replay tail --who jane@agency.example
  replay tail --type missed -o json
  replay tail --call 0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30`
)

// following is what tail is asked.
type following struct {
	asking
	user, call, org, kind string
}

func (c *command) tailCommand() *cobra.Command {
	var f following
	cmd := &cobra.Command{
		Use: "tail", Short: "follow calls and their outcomes live", Long: tailAbout, Example: tailExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.valid(); err != nil {
				return err
			}
			return c.connected(cmd.Context(), func(js jetstream.JetStream, s Settings) error {
				return c.tail(cmd.Context(), js, s, f)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "who", "", "e-mail address or id of the only user, or id of the negotiator")
	flags.StringVar(&f.call, "call", "", "id of the only call")
	flags.StringVar(&f.org, "org", "", "id of the only organization")
	flags.StringVar(&f.kind, "type", "", "the only type of call events and of their outcomes, such as missed; no raw event then")
	flags.StringVarP(&f.format, "output", "o", "text", "text or json")
	flags.BoolVar(&f.numbers, "numbers", false, "print telephone numbers in full")
	return cmd
}

func (f *following) valid() error {
	f.call, f.org = strings.ToLower(strings.TrimSpace(f.call)), strings.ToLower(strings.TrimSpace(f.org))
	if f.kind != "" && !slices.Contains(event.CallTypes(), event.CallType(f.kind)) {
		return usage("--type: %q is unknown; write one of %v", f.kind, event.CallTypes())
	}
	return f.asking.valid()
}

// wants reports whether an event is to be shown; who are its users, and their
// negotiator.
func (f *following) wants(org, callID string, t event.CallType, negotiator string, who ...event.User) bool {
	return (f.org == "" || strings.EqualFold(f.org, org)) && (f.call == "" || strings.EqualFold(f.call, callID)) &&
		(f.kind == "" || f.kind == string(t)) &&
		(f.user == "" || negotiator == f.user || slices.ContainsFunc(who, func(u event.User) bool {
			return strings.EqualFold(u.UserID, f.user) || strings.EqualFold(u.UserName, f.user)
		}))
}

// line is one line of tail.
type line struct {
	Call string `json:"call"`
	explain.Entry
}

// tailing follows three streams at once.
type tailing struct {
	explain.Gatherer
	following
	lines chan line
	calls map[string]*call.Call // only the reader of RTE uses it
}

// source is a stream, and what is done with what it has from a position on.
type source struct {
	stream string
	from   uint64
	take   func(context.Context, bus.Message) error
}

// How many calls are kept before those are dropped that nothing is heard of any more.
const manyCalls = 10_000

func (c *command) tail(ctx context.Context, js jetstream.JetStream, s Settings, f following) error {
	g, err := c.gatherer(ctx, js, s)
	if err != nil {
		return err
	}
	t := &tailing{Gatherer: g, following: f, lines: make(chan line), calls: map[string]*call.Call{}}
	sources := []source{{topology.RTE, 0, t.heard}, {topology.Calls, 0, t.told}, {topology.Deliveries, 0, t.ended}}
	for i := range sources {
		now, err := stream.Look(ctx, js, sources[i].stream)
		if err != nil {
			return err
		}
		sources[i].from = now.Last + 1
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var readers sync.WaitGroup
	for _, s := range sources {
		readers.Go(func() {
			stop(bus.Read(reading, js, s.stream, nil, s.from, func(m bus.Message) error { return s.take(reading, m) }))
		})
	}
	err = c.follow(reading, t)
	stop(nil)
	readers.Wait()
	if ctx.Err() != nil {
		return nil // it was asked to end
	}
	return err
}

// follow prints what comes.
func (c *command) follow(ctx context.Context, t *tailing) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l := <-t.lines:
			if err := c.print(l, t.format); err != nil {
				return err
			}
		}
	}
}

func (c *command) print(l line, format string) error {
	if format == "text" {
		c.colour.entry(c.out, explain.Entry{At: l.At, Stream: l.Stream, Seq: l.Seq, What: l.Call + "  " + l.What, Moves: l.Moves})
		return nil
	}
	if err := json.NewEncoder(c.out).Encode(l); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (t *tailing) show(ctx context.Context, callID string, e explain.Entry) error {
	select {
	case t.lines <- line{callID, e}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// heard takes a message of RTE.
func (t *tailing) heard(ctx context.Context, m bus.Message) error {
	h, ok := explain.DecodeHeard(m)
	if !ok || !t.wants(h.Raw.OrganizationID, h.Raw.CallID, "", "", event.User{UserID: call.Participant(h.Raw), UserName: h.Raw.UserName}) {
		return nil
	}
	known, err := t.known(ctx, h)
	if err != nil {
		return err
	}
	was := known.Standings()
	_, verdict := known.Apply(h.Raw, h.Stored, t.Limits)
	e := explain.Entry{At: h.Stored, Stream: topology.RTE, Seq: h.Seq, What: h.Line(t.masking()), Moves: explain.Moves(was, known.Standings())}
	if verdict != call.Changed {
		e.What += ", which changed nothing: " + verdict.String()
	}
	return t.show(ctx, h.Raw.CallID, e)
}

// known is the call as it stood before an event. Of one that is older, and of one
// whose other users are not followed, RTE tells.
func (t *tailing) known(ctx context.Context, next explain.Heard) (*call.Call, error) {
	id := next.Raw.CallID
	if c := t.calls[id]; c != nil && t.user == "" {
		return c, nil
	}
	if len(t.calls) > manyCalls {
		for id, c := range t.calls {
			if c.Forgotten(next.Stored, t.Limits) {
				delete(t.calls, id)
			}
		}
	}
	key := topology.KeyToken(id)
	c := call.New(id)
	err := stream.Pick(ctx, t.JS, topology.RTE, fmt.Sprintf("rte.%d.*.*.%s", topology.Partition(key, t.RTE.Partitions), key), func(m bus.Message) error {
		if h, ok := explain.DecodeHeard(m); ok && h.Seq < next.Seq {
			c.Apply(h.Raw, h.Stored, t.Limits)
		}
		return nil
	})
	t.calls[id] = c
	return c, err
}

// told takes a message of CALLS.
func (t *tailing) told(ctx context.Context, m bus.Message) error {
	s, ok := explain.DecodeStored(m)
	if !ok || !t.wants(s.Call.OrganizationID, s.Call.CallID, s.Call.Type, "", s.Call.Audience...) {
		return nil
	}
	return t.show(ctx, s.Call.CallID, explain.Entry{At: s.Stored, Stream: topology.Calls, Seq: s.Seq, What: s.Line()})
}

// ended takes a message of DELIVERIES.
func (t *tailing) ended(ctx context.Context, m bus.Message) error {
	o, ok := explain.DecodeOutcome(m)
	if !ok || !t.wants(o.OrganizationID, o.CallID, o.Type, o.NegotiatorID, o.Users...) {
		return nil
	}
	return t.show(ctx, o.CallID, explain.Entry{At: o.Stored, Stream: topology.Deliveries, Seq: o.Seq, What: o.Line(t.masking())})
}
