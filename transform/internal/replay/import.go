package replay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/bundle"
	"ringstream/transform/internal/replay/stream"
)

const (
	importAbout = `import puts a bundle, which export has written, on a NATS server: it creates the
streams of the contract where they are missing and fills RTE, CALL_LOG_<p> (and by
that CALLS), DELIVERIES and DEADLETTERS. The streams must be empty, and the server
on this machine, unless --remote is given.

No client can set when a message was stored, so each says in a header when it was
where it comes from. replay goes by that; transform and deliver do
not: an imported server is there to be looked at, not to run them on.`

	importExamples = `  make run ARGS=-empty    # in another terminal; or: nats-server -js -sd /tmp/look
  replay import call.bundle --into nats://127.0.0.1:4222
  replay run && replay diff`
)

// ErrNotEmpty means that there is something already where a bundle is to go.
var ErrNotEmpty = errors.New("stream is not empty")

// errUnmerged means that the server does not fill CALLS.
var errUnmerged = errors.New("CALLS does not take over what its sources have")

func (c *command) importCommand() *cobra.Command {
	var into string
	var remote bool
	cmd := &cobra.Command{
		Use: "import FILE", Short: "put what export has written on a server of its own", Long: importAbout, Example: importExamples, Args: cobra.MatchAll(cobra.ExactArgs(1), named),
		RunE: func(cmd *cobra.Command, files []string) error {
			if into != "" {
				c.connection.server = into
			}
			s, err := c.connection.settings()
			if err != nil {
				return err
			}
			if far := elsewhere(s.Servers()); far != "" && !remote {
				return usage("%s is not on this machine; --remote fills it all the same", far)
			}
			head, err := headOf(files[0])
			if err != nil {
				return err
			}
			wrote := false
			err = c.attended(cmd.Context(), c.patience, func(ctx context.Context, js jetstream.JetStream, s Settings) (err error) {
				wrote, err = c.importFile(ctx, js, s, files[0], head)
				return err
			})
			if err != nil && wrote {
				return fmt.Errorf("%w; the server is half filled now: begin again with an empty one (make run ARGS=-empty)", err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&into, "into", "", "NATS servers to fill (NATS_URL)")
	f.BoolVar(&remote, "remote", false, "fill a server on another machine too")
	return cmd
}

// elsewhere names the first server that is not on this machine.
func elsewhere(servers []string) string {
	for _, s := range servers {
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil {
			return "that server"
		}
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return u.Hostname()
		}
	}
	return ""
}

// importFile also tells whether it wrote anything.
func (c *command) importFile(ctx context.Context, js jetstream.JetStream, s Settings, path string, head bundle.Head) (wrote bool, err error) {
	layout := s.Layout()
	layout.Partitions = head.Partitions
	if err := prepare(ctx, js, layout); err != nil {
		return false, err
	}
	in := importer{js: js, partitions: head.Partitions, places: map[uint64]uint64{}, logs: map[int]*bus.Log{}, count: map[string]uint64{}}
	defer in.close()
	err = bundle.Read(path, func(bundle.Head) error { return nil }, func(r bundle.Record) error { return in.take(ctx, r) })
	if err == nil { // else CALLS is not to be waited for
		err = in.flush(ctx)
	}
	if err != nil {
		return in.wrote, err
	}
	fmt.Fprintf(c.out, "%s: RTE %d, CALLS %d, DELIVERIES %d, DEADLETTERS %d\n", path,
		in.count[topology.RTE], in.count[topology.Calls], in.count[topology.Deliveries], in.count[topology.DeadLetters])
	if own := bundle.SettingsOf(s.Limits); own != head.Settings {
		fmt.Fprintf(c.err, "it was folded with other settings; set RING_TIMEOUT=%s TALK_TIMEOUT=%s SETTLE_TIMEOUT=%s CLOSED_MEMORY=%s to look at it\n",
			head.Settings.Ring, head.Settings.Talk, head.Settings.Settle, head.Settings.Memory)
	}
	return true, nil
}

// headOf reads all of a bundle, and refuses it before anybody is asked for anything.
func headOf(path string) (head bundle.Head, err error) {
	err = bundle.Read(path, func(h bundle.Head) error { head = h; return nil }, importable)
	if errors.Is(err, bundle.ErrUnreadable) {
		err = fmt.Errorf("%w; import takes what replay export has written", err)
	}
	return head, err
}

// importable refuses what cannot be in a bundle before anything is written.
func importable(r bundle.Record) error {
	ok := false
	switch first, _, _ := strings.Cut(r.Subject, "."); r.Stream {
	case topology.RTE:
		ok = first == "rte" || first == "feed"
	case topology.Calls:
		ok = first == "calls" && strings.Count(r.Subject, ".") == 3
	case topology.Deliveries:
		ok = first == "deliveries"
	case topology.DeadLetters:
		ok = first == "deadletters"
	}
	if !ok {
		return fmt.Errorf("%w: it has a message of %q for stream %q", bundle.ErrUnreadable, r.Subject, r.Stream)
	}
	return nil
}

// prepare makes the streams, and refuses those that have ever had a message.
func prepare(ctx context.Context, js jetstream.JetStream, layout topology.Layout) error {
	for _, s := range topology.Streams(layout) {
		had, err := stream.Look(ctx, js, s.Name)
		if err != nil && !errors.Is(err, bus.ErrMissing) {
			return err
		}
		if had.Last > 0 {
			return fmt.Errorf("%w: %s has had %d messages; a bundle needs an empty server of its own (make run ARGS=-empty), also when an import stopped half-way", ErrNotEmpty, s.Name, had.Last)
		}
	}
	return stream.Again(ctx, js, func() error {
		if err := bus.Create(ctx, js, layout); err != nil {
			return err
		}
		return bus.Verify(ctx, js, layout)
	})
}

// importer fills streams. Nobody else may: every message says which place it
// must take.
type importer struct {
	js         jetstream.JetStream
	partitions int
	places     map[uint64]uint64 // of RTE's messages, by where they were
	logs       map[int]*bus.Log
	count      map[string]uint64
	flying     []jetstream.PubAckFuture
	wrote      bool // the server has something of it
}

const inFlight = 256

func (i *importer) take(ctx context.Context, r bundle.Record) error {
	header := nats.Header{}
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "Nats-") && name != stream.HeaderStored { // those were for another server
			header[name] = values
		}
	}
	header.Set(stream.HeaderStored, r.Stored.UTC().Format(time.RFC3339Nano))
	if r.Stream == topology.Calls {
		i.count[r.Stream]++
		return i.callEvent(ctx, r, header)
	}
	delete(header, bus.HeaderIn) // a position in another CALLS
	delete(header, bus.HeaderIdx)
	delete(header, bus.HeaderAt)
	header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(i.count[r.Stream], 10))
	header.Set(jetstream.ExpectedStreamHeader, r.Stream)
	i.count[r.Stream]++
	if r.Stream == topology.RTE {
		i.places[r.Seq] = i.count[r.Stream]
	}
	ack, err := i.js.PublishMsgAsync(&nats.Msg{Subject: r.Subject, Header: header, Data: r.Message().Data}, jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("import message %d of %s: %w", r.Seq, r.Stream, err)
	}
	// Of two imports at a time, one has the first place and the other writes nothing.
	if i.flying = append(i.flying, ack); len(i.flying) >= inFlight || i.count[r.Stream] == 1 {
		return i.land(ctx)
	}
	return nil
}

// land waits for all that is in flight.
func (i *importer) land(ctx context.Context) error {
	for _, ack := range i.flying {
		select {
		case <-ack.Ok():
			i.wrote = true
		case err := <-ack.Err():
			return fmt.Errorf("import to %s: %w", ack.Msg().Subject, bus.Offline(err))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	i.flying = nil
	return nil
}

// callEvent appends to the log of the call's partition, from where the server
// takes it to CALLS. It states the position that RTE's message has here.
func (i *importer) callEvent(ctx context.Context, r bundle.Record, header nats.Header) error {
	p := topology.Partition(topology.KeyToken(event.Attribute(header, event.ExtCorrelationID)), i.partitions)
	log := i.logs[p]
	if log == nil {
		err := stream.Again(ctx, i.js, func() (err error) {
			log, err = bus.OpenLog(ctx, i.js, topology.CallLog(p), topology.CallLogPrefix(p))
			return err
		})
		if err != nil {
			return err
		}
		i.logs[p] = log
	}
	was, _ := stream.PositionOf(r.Message())
	delete(header, bus.HeaderAt)
	subject := topology.CallLogPrefix(p) + ".ev." + strings.TrimPrefix(r.Subject, "calls.")
	return log.Append(subject, header, r.Message().Data, bus.Position{In: i.places[was.In], Idx: was.Idx})
}

// flush waits until everything is stored and CALLS has it.
func (i *importer) flush(ctx context.Context) error {
	if err := i.land(ctx); err != nil {
		return err
	}
	for _, log := range i.logs {
		if err := log.Flush(ctx); err != nil {
			return err
		}
	}
	return i.merged(ctx)
}

// merged waits for CALLS, as long as it grows.
func (i *importer) merged(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last, grew := uint64(0), time.Now()
	for {
		calls, err := stream.Look(ctx, i.js, topology.Calls)
		if err != nil || calls.Last >= i.count[topology.Calls] {
			return err
		}
		if calls.Last > last {
			last, grew = calls.Last, time.Now()
		}
		if time.Since(grew) > patience {
			return fmt.Errorf("%w: it has %d messages of %d, though the logs have all", errUnmerged, last, i.count[topology.Calls])
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (i *importer) close() {
	for _, log := range i.logs {
		log.Close()
	}
}
