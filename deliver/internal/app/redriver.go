package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// redriver is the command that has dead letters tried again. It sends nothing to
// Reapit itself: the deliver that has the lease has the order and the budget, too.
type redriver struct {
	selection
	js  jetstream.JetStream
	out io.Writer
}

// redriving is what becomes of one dead letter.
type redriving struct {
	Number     uint64 `json:"number"`
	EventID    string `json:"eventId,omitempty"`
	CallID     string `json:"callId,omitempty"`
	Negotiator string `json:"negotiatorId,omitempty"`
	Redrive    int    `json:"redrive,omitempty"`
	Then       string `json:"then"` // send, refused, taken, or the outcome
	Reason     string `json:"reason,omitempty"`

	pair pair
}

// What is said of one.
const (
	thenSend    = "send"    // a dry run: it would be
	thenRefused = "refused" // and is not
	thenTaken   = "taken"   // and how it ends is not known yet
)

var (
	errNobody = errors.New("no deliver is delivering, and so nothing was done; start one, and wait until it says so")
	errSilent = errors.New("deliver did not answer: whether it has taken them on is not known; the same command again does nothing twice")
	errNotAll = errors.New("not all were delivered")
	errNone   = errors.New("no dead letter is selected")
)

func (r redriver) run(ctx context.Context, found []letter, known map[pair]history) error {
	all := plan(found, known)
	if len(all) == 0 {
		return errNone
	}
	if err := r.ask(ctx, all, true); err != nil {
		return err
	}
	if !r.yes {
		if err := r.print(all); err != nil || r.json {
			return err
		}
		_, err := fmt.Fprintf(r.out, "a dry run: nothing was done; --yes does it to %d of %d\n", count(all, thenSend), len(all))
		return err
	}
	if !r.json {
		if err := r.print(all); err != nil {
			return err
		}
	}
	if err := r.ask(ctx, all, false); err != nil {
		return err
	}
	if err := r.await(ctx, all, found); err != nil {
		return err
	}
	if err := r.print(all); err != nil {
		return err
	}
	if reached := count(all, string(event.Delivered)) + count(all, string(event.Shadowed)); reached < len(all) {
		return fmt.Errorf("%w: %d of %d", errNotAll, reached, len(all))
	}
	return nil
}

// plan is one redrive for each delivery, by its newest dead letter.
func plan(found []letter, known map[pair]history) (all []redriving) {
	newest := map[pair]uint64{}
	for _, l := range found {
		newest[l.pair()] = l.number
	}
	for _, l := range found {
		if l.notification() && newest[l.pair()] != l.number {
			continue
		}
		h := known[l.pair()]
		x := redriving{
			Number: l.number, EventID: l.EventID, CallID: l.CallID, Negotiator: l.NegotiatorID, Redrive: h.redrives + 1, Then: thenSend, pair: l.pair(),
		}
		if x.Reason = l.settled(h); x.Reason != "" {
			x.Then, x.Redrive = thenRefused, 0
		}
		all = append(all, x)
	}
	return all
}

func count(all []redriving, then string) (n int) {
	for _, x := range all {
		if x.Then == then {
			n++
		}
	}
	return n
}

// ask hands over what is to be sent, some at a time.
func (r redriver) ask(ctx context.Context, all []redriving, dry bool) error {
	var batch []*redriving
	for i := range all {
		if all[i].Then == thenSend {
			batch = append(batch, &all[i])
		}
		if len(batch) == redriveBatch || i == len(all)-1 && len(batch) > 0 {
			if err := r.request(ctx, batch, dry); err != nil {
				return err
			}
			batch = nil
		}
	}
	return nil
}

func (r redriver) request(ctx context.Context, batch []*redriving, dry bool) error {
	q := redriveRequest{Dry: dry}
	for _, x := range batch {
		q.Letters = append(q.Letters, redriveItem{x.Number, x.Redrive})
	}
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("ask for a redrive: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, redrivePatience+redrivePatience/2)
	defer cancel()
	m, err := r.js.Conn().RequestWithContext(limited, topology.Redrive, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return errNobody
	case err != nil && ctx.Err() == nil && !dry:
		return fmt.Errorf("%w: %w", errSilent, err)
	case err != nil:
		return fmt.Errorf("ask for a redrive: %w", err)
	}
	var a redriveAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("read the answer of deliver: %w", err)
	}
	if a.Trouble != "" || len(a.Refused) != len(batch) {
		return fmt.Errorf("deliver took nothing on: %s", dash(a.Trouble))
	}
	for i, x := range batch {
		if x.Reason = a.Refused[i]; x.Reason != "" {
			x.Then = thenRefused
		} else if !dry {
			x.Then = thenTaken
		}
	}
	return nil
}

// await looks for the outcomes of what was taken on, for as long as it was told.
func (r redriver) await(ctx context.Context, all []redriving, found []letter) error {
	until := time.Now().Add(r.wait)
	for {
		known, err := histories(ctx, r.js, found)
		if err != nil {
			return err
		}
		for i, x := range all {
			if h := known[x.pair]; x.Then == thenTaken && h.redrives >= x.Redrive {
				all[i].Then, all[i].Reason = string(h.last.Outcome), h.last.Reason
			}
		}
		if count(all, thenTaken) == 0 || time.Now().After(until) {
			return nil
		}
		pause(ctx, restart)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func (r redriver) print(all []redriving) error {
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	if !r.json {
		fmt.Fprintln(table, "NUMBER\tEVENT\tNEGOTIATOR\tREDRIVE\tTHEN\tREASON")
	}
	for _, x := range all {
		if r.json {
			if err := printJSON(r.out, x, ""); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%s\t%s\n", x.Number, dash(x.EventID), dash(x.Negotiator), x.Redrive, x.Then, dash(x.Reason))
	}
	return table.Flush()
}
