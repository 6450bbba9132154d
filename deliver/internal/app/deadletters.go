package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
)

// DeadLettersUsage is what the subcommand takes.
const DeadLettersUsage = "list|show <number or id>"

// DeadLetters lists what is in DEADLETTERS, or shows one of it.
func DeadLetters(ctx context.Context, s Settings, args []string, out io.Writer, _ *slog.Logger) error {
	if len(args) > 0 && args[0] == "redrive" {
		return fmt.Errorf("%w: redrive is not in this version", program.ErrUsage)
	}
	list := len(args) == 1 && args[0] == "list"
	show := len(args) == 2 && args[0] == "show"
	if !list && !show {
		return fmt.Errorf("%w: expected list, or show and one dead letter", program.ErrUsage)
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
	if show {
		return showLetter(ctx, js, args[1], out)
	}
	return listLetters(ctx, js, out)
}

func letters(ctx context.Context, js jetstream.JetStream, each func(bus.Message, string, event.DeadLetter) error) error {
	return bus.ReadAll(ctx, js, topology.DeadLetters, []string{topology.DeadLetter("*", "*")}, 1, func(m bus.Message) error {
		e, err := event.Decode(m.Header, m.Data)
		if err != nil {
			return fmt.Errorf("dead letter %d: %w", m.Seq, err)
		}
		var d event.DeadLetter
		if err := json.Unmarshal(e.Data(), &d); err != nil {
			return fmt.Errorf("dead letter %d: %w", m.Seq, err)
		}
		return each(m, e.ID(), d)
	})
}

func listLetters(ctx context.Context, js jetstream.JetStream, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tTIME\tSERVICE\tREASON\tCUSTOMER\tNEGOTIATOR\tCALL\tDETAIL\tID")
	err := letters(ctx, js, func(m bus.Message, id string, d event.DeadLetter) error {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Seq, d.At.UTC().Format(time.RFC3339), d.Service, d.Reason,
			dash(d.Customer), dash(d.NegotiatorID), dash(d.CallID), dash(d.Detail), id)
		return nil
	})
	if err != nil {
		return err
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func showLetter(ctx context.Context, js jetstream.JetStream, which string, out io.Writer) error {
	found := false
	err := letters(ctx, js, func(m bus.Message, id string, d event.DeadLetter) error {
		if which != id && which != strconv.FormatUint(m.Seq, 10) {
			return nil
		}
		found = true
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return fmt.Errorf("print dead letter %d: %w", m.Seq, err)
		}
		_, err = fmt.Fprintln(out, string(text))
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("no dead letter has the number or id %q", which)
	}
	return err
}
