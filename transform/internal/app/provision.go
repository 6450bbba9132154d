package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
)

// provisioner names the one who may create streams, in inboxes and permissions.
const provisioner = "provisioner"

// provisionLimit is how long all of it may take; who starts it repeats it.
const provisionLimit = time.Minute

// Provision makes sure that every stream and bucket of the contract is there, those
// of the other services too, and as it must be. NATS_PROVISION says whether what
// is missing is created; what exists is never changed. It ends, unlike a service,
// when NATS does not answer.
func Provision(ctx context.Context, s Settings, args []string, out io.Writer, log *slog.Logger) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: it takes no arguments", program.ErrUsage)
	}
	ctx, cancel := context.WithTimeout(ctx, provisionLimit)
	defer cancel()
	nc, err := bus.Dial(s.Config, provisioner)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	if err := bus.Prepare(ctx, js, s.Config, log); err != nil {
		return fmt.Errorf("provision %s: %w", s.Redacted(), err)
	}
	layout := s.Layout()
	for _, stream := range topology.Streams(layout) {
		fmt.Fprintln(out, "ok  stream", stream.Name+fewer(ctx, js, stream.Name, layout.Replicas))
	}
	for _, bucket := range topology.Buckets(layout) {
		fmt.Fprintln(out, "ok  bucket", bucket.Name+fewer(ctx, js, topology.BucketStream(bucket.Name), layout.Replicas))
	}
	return nil
}

// fewer says that a stream has fewer replicas than were asked for. That is no
// difference from the contract, and nobody may change it but an administrator.
func fewer(ctx context.Context, js jetstream.JetStream, name string, wanted int) string {
	stream, err := js.Stream(ctx, name)
	if err != nil || stream.CachedInfo().Config.Replicas >= wanted {
		return ""
	}
	return fmt.Sprintf("; of %d replicas, not the %d of STREAM_REPLICAS: nats stream edit %s --replicas=%d",
		stream.CachedInfo().Config.Replicas, wanted, name, wanted)
}
