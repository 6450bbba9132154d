package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// Sentinels of the package.
var (
	// ErrDiffer means that CALLS does not hold what the fold says.
	ErrDiffer = errors.New("CALLS differs from the fold of RTE")
	// ErrBehind means that CALLS does not hold yet all that RTE implies.
	ErrBehind = errors.New("CALLS is behind RTE")
	// ErrUnexplained means that the streams do not say why.
	ErrUnexplained = errors.New("the streams do not say why")
	// ErrNothing means that there is nothing to work on.
	ErrNothing = errors.New("nothing found")

	errEnd = errors.New("end of the span")
)

// span is a stream as it stood at one moment.
type span struct {
	stream      string
	first, last uint64
	from, to    time.Time // stored times of its ends
	partitions  int       // as its metadata says, 0 where it does not
}

func (s span) empty() bool { return s.last == 0 || s.first > s.last }

// look asks for the ends of a stream.
func look(ctx context.Context, js jetstream.JetStream, stream string) (span, error) {
	s, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return span{}, fmt.Errorf("%w: stream %s; is this the right server (NATS_URL, --server), and did the services run?", bus.ErrMissing, stream)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return span{}, fmt.Errorf("look up stream %s: %w; may this user publish to $JS.API.STREAM.INFO.%s? see --help", stream, err, stream)
	}
	if err != nil {
		return span{}, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	info := s.CachedInfo()
	n, _ := strconv.Atoi(info.Config.Metadata[topology.MetaPartitions])
	return span{
		stream: stream, first: info.State.FirstSeq, last: info.State.LastSeq, partitions: n,
		from: info.State.FirstTime.UTC(), to: info.State.LastTime.UTC(),
	}, nil
}

// lookRTE also finds out how many partitions there are, which the setting says
// only for a stream that does not.
func lookRTE(ctx context.Context, js jetstream.JetStream, s Settings) (span, error) {
	rte, err := look(ctx, js, topology.RTE)
	if err != nil {
		return rte, err
	}
	if rte.partitions < 1 || rte.partitions > topology.MaxPartitions {
		rte.partitions = s.Partitions
	}
	if rte.empty() {
		return rte, fmt.Errorf("%w: stream %s is empty; has ingest run?", ErrNothing, topology.RTE)
	}
	return rte, nil
}

// read hands over what the span holds from a position on. It reads without a
// filter: to find the last message of a filter needs another permission.
func read(ctx context.Context, js jetstream.JetStream, s span, from uint64, handle func(bus.Message) error) error {
	if s.empty() || from > s.last {
		return nil
	}
	err := bus.Read(ctx, js, s.stream, nil, from, func(m bus.Message) error {
		if m.Seq <= s.last {
			m.Stored = stored(m)
			if err := handle(m); err != nil {
				return err
			}
		}
		if m.Seq >= s.last || m.Pending == 0 {
			return errEnd
		}
		return nil
	})
	return notEnd(err)
}

func notEnd(err error) error {
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// headerStored is when a message that was imported had been stored where it
// comes from. The fold's time is that, and no server lets a client set it.
const headerStored = "Ringstream-Stored"

// stored is the time of a message for the fold.
func stored(m bus.Message) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, m.Header.Get(headerStored)); err == nil {
		return t.UTC()
	}
	return m.Stored
}
