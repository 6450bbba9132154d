package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

const (
	tailAbout = `tail follows the streams from now on: one line for each raw event of a call, or time
limit, with what it makes of whom, each call event and each outcome. A line waits a
moment for what was stored before it, in whatever stream. Ctrl-C ends it.

text   as the timeline of explain, with the call
json   one object a line: call, and the members of such a line

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
	userID                string // of whom the negotiator stands for that user is
}

func (c *command) tailCommand() *cobra.Command {
	var f following
	cmd := &cobra.Command{
		Use: "tail", Short: "follow calls and their outcomes live", Long: tailAbout, Example: tailExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.valid(); err != nil {
				return err
			}
			return c.attended(cmd.Context(), 0, func(ctx context.Context, js jetstream.JetStream, s Settings) error {
				return c.tail(ctx, js, s, f)
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

// String is what is followed, in words.
func (f *following) String() string {
	text := "the calls"
	if f.kind != "" {
		text = "the " + f.kind + " events of the calls"
	}
	for _, only := range []struct{ of, what string }{{"call", f.call}, {"organization", f.org}, {"user", f.user}} {
		if only.what != "" {
			text += ", only those of " + only.of + " " + explain.Plain(only.what)
		}
	}
	return text
}

// wants reports whether an event is to be shown; who are its users, and their
// negotiator.
func (f *following) wants(org, callID string, t event.CallType, negotiator string, who ...event.User) bool {
	return (f.org == "" || strings.EqualFold(f.org, org)) && (f.call == "" || strings.EqualFold(f.call, callID)) &&
		(f.kind == "" || f.kind == string(t)) &&
		(f.user == "" || negotiator == f.user || slices.ContainsFunc(who, func(u event.User) bool {
			return u.UserID != "" && u.UserID == f.userID || strings.EqualFold(u.UserID, f.user) || strings.EqualFold(u.UserName, f.user)
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
	calls map[string]*followed // only the reader of RTE uses it
	fired time.Time            // up to when time limits were, likewise
}

// source is a stream as it was at the start, and what is done with what comes.
type source struct {
	stream.Span
	take func(context.Context, bus.Message) error
}

func (c *command) tail(ctx context.Context, js jetstream.JetStream, s Settings, f following) error {
	g, err := c.gatherer(ctx, js, s)
	if err != nil {
		return err
	}
	who := explain.Search{Gatherer: g}
	who.Wanted(f.user)
	if err := who.Resolve(ctx); err != nil {
		return err
	}
	f.userID = who.User.UserID
	t := &tailing{Gatherer: g, following: f, lines: make(chan line), calls: map[string]*followed{}}
	sources := []source{
		{stream.Span{Name: topology.RTE}, t.heard}, {stream.Span{Name: topology.Calls}, t.told}, {stream.Span{Name: topology.Deliveries}, t.ended},
	}
	for i := range sources {
		if sources[i].Span, err = stream.Look(ctx, js, sources[i].Name); err != nil {
			return err
		}
	}
	c.say("following %s, from now on; Ctrl-C ends it", &f)
	if who.Unknown() {
		c.say("no outcome is of a negotiator %s yet: is it the id that Reapit has?", explain.Plain(f.user))
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var readers sync.WaitGroup
	for _, s := range sources {
		readers.Go(func() {
			stop(stream.Follow(reading, js, s.Span, func(m bus.Message) error { return s.take(reading, m) }))
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
	tick := time.NewTicker(hold / 3)
	defer tick.Stop()
	var q queue
	for {
		select {
		case <-ctx.Done():
			return errors.Join(c.print(q.rest(), t.format), context.Cause(ctx))
		case l := <-t.lines:
			q.add(l, time.Now())
		case now := <-tick.C:
			if err := c.print(q.due(now), t.format); err != nil {
				return err
			}
		}
	}
}

func (c *command) print(all []line, format string) error {
	for _, l := range all {
		if format == "text" {
			l.What = explain.Plain(l.Call) + "  " + l.What
			if err := c.colour.entry(c.out, l.Entry); err != nil {
				return fmt.Errorf("print: %w", err)
			}
			continue
		}
		if err := json.NewEncoder(c.out).Encode(l); err != nil {
			return fmt.Errorf("print: %w", err)
		}
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

// followed is a call of which everything is folded, whatever of it is shown.
type followed struct {
	*explain.Tracer
	organization string
}

// heard takes a message of RTE. Its time fires the limits of all calls.
func (t *tailing) heard(ctx context.Context, m bus.Message) error {
	if err := t.due(ctx, m.Stored); err != nil {
		return err
	}
	h, ok := explain.DecodeHeard(m)
	if !ok {
		return nil
	}
	asked := t.wants(h.Raw.OrganizationID, h.Raw.CallID, "", "", h.User())
	c := t.calls[h.Raw.CallID]
	if c == nil && !asked {
		return nil
	}
	if c == nil {
		var err error
		if c, err = t.known(ctx, h); err != nil {
			return err
		}
	}
	for _, s := range c.Hear(h) {
		if s.Seq == 0 {
			if err := t.limit(ctx, h.Raw.CallID, c, s); err != nil {
				return err
			}
		} else if asked {
			return t.show(ctx, h.Raw.CallID, h.Entry(t.masking()).After(s))
		}
	}
	return nil
}

// due fires the limits of all calls once in a second of the stream, and drops
// those calls of which nothing matters any more.
func (t *tailing) due(ctx context.Context, now time.Time) error {
	if now.Sub(t.fired) < time.Second {
		return nil
	}
	t.fired = now
	for _, id := range slices.Sorted(maps.Keys(t.calls)) {
		for _, s := range t.calls[id].Until(now) {
			if err := t.limit(ctx, id, t.calls[id], s); err != nil {
				return err
			}
		}
		if t.calls[id].Forgotten(now) {
			delete(t.calls, id)
		}
	}
	return nil
}

// limit shows what a time limit did, if that is asked for.
func (t *tailing) limit(ctx context.Context, id string, c *followed, s explain.Step) error {
	if who := s.Concerns(); len(who) > 0 && t.wants(c.organization, id, "", "", who...) {
		return t.show(ctx, id, s.Entry())
	}
	return nil
}

// known is the call as it stood before an event: of one that is older, RTE tells.
func (t *tailing) known(ctx context.Context, next explain.Heard) (*followed, error) {
	id := next.Raw.CallID
	key := topology.KeyToken(id)
	c := &followed{explain.NewTracer(id, t.Limits), next.Raw.OrganizationID}
	err := stream.Pick(ctx, t.JS, topology.RTE, fmt.Sprintf("rte.%d.*.*.%s", topology.Partition(key, t.RTE.Partitions), key), func(m bus.Message) error {
		if h, ok := explain.DecodeHeard(m); ok && h.Seq < next.Seq {
			c.Hear(h)
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
	return t.show(ctx, s.Call.CallID, s.Entry())
}

// ended takes a message of DELIVERIES.
func (t *tailing) ended(ctx context.Context, m bus.Message) error {
	o, ok := explain.DecodeOutcome(m)
	if !ok || !t.wants(o.OrganizationID, o.CallID, o.Type, o.NegotiatorID, o.Users...) {
		return nil
	}
	return t.show(ctx, o.CallID, o.Entry(t.masking()))
}
