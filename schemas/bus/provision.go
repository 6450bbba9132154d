package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/topology"
)

// Prepare makes sure that the named streams and buckets exist and are as the
// contract says; with no names it takes all. In create mode it first
// creates what is missing. It never changes what exists. While the server does
// not answer it retries, and says at last what kept it; [ErrMissing], [ErrDiffers] and
// [ErrReplicas] are final.
func Prepare(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger, names ...string) error {
	var final, last error
	err := retry(ctx, log, func() error {
		final = nil
		var err error
		if cfg.Provision == ProvisionCreate {
			err = Create(ctx, js, cfg.Layout())
		}
		if err == nil {
			err = Verify(ctx, js, cfg.Layout(), names...)
		}
		if errors.Is(err, ErrMissing) || errors.Is(err, ErrDiffers) || errors.Is(err, ErrReplicas) {
			final = err
			return nil
		}
		last = err
		return err
	})
	if err != nil {
		return errors.Join(last, err)
	}
	return final
}

// notClustered is the code of a single server that is asked for more than one replica.
const notClustered jetstream.ErrorCode = 10074

// Create creates every stream and bucket of the layout that does not exist, and
// none where what exists would not fit it: streams of another number of
// partitions, or CALLS with the events of a log that is gone.
func Create(ctx context.Context, js jetstream.JetStream, layout topology.Layout) error {
	missing, err := absent(ctx, js, topology.Streams(layout))
	if err != nil {
		return err
	}
	for _, s := range missing {
		_, err := js.CreateStream(ctx, config(s))
		if refusal := new(jetstream.APIError); errors.As(err, &refusal) && refusal.ErrorCode == notClustered {
			return fmt.Errorf("create stream %s: %w: %w", s.Name, ErrReplicas, err)
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("create stream %s: %w", s.Name, err)
		}
	}
	return createBuckets(ctx, js, layout)
}

func absent(ctx context.Context, js jetstream.JetStream, streams []topology.Stream) (missing []topology.Stream, err error) {
	var merged uint64 // call events that CALLS has ever had
	for _, s := range streams {
		stream, err := js.Stream(ctx, s.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			missing = append(missing, s)
			continue
		}
		if err != nil {
			return nil, lookUp(s.Name, err)
		}
		if err := otherPartitions(s, stream.CachedInfo().Config); err != nil {
			return nil, err
		}
		if s.Name == topology.Calls {
			merged = stream.CachedInfo().State.LastSeq
		}
	}
	for _, s := range missing {
		if besides(s) != "" && merged > 0 {
			return nil, gone(s)
		}
	}
	return missing, nil
}

func createBuckets(ctx context.Context, js jetstream.JetStream, layout topology.Layout) error {
	for _, b := range topology.Buckets(layout) {
		_, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: b.Name, Description: b.Description, History: 1, Storage: jetstream.FileStorage,
			Replicas: b.Replicas, LimitMarkerTTL: b.MarkerTTL,
		})
		if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			return fmt.Errorf("create bucket %s: %w", b.Name, err)
		}
	}
	return nil
}

// Verify compares the named streams and buckets, or all, with the contract. The error
// joins every difference, each with its stream, its field and both values.
func Verify(ctx context.Context, js jetstream.JetStream, layout topology.Layout, names ...string) error {
	var found []error
	for _, s := range topology.Streams(layout) {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		stream, err := js.Stream(ctx, s.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			found = append(found, gone(s))
			continue
		}
		if err != nil {
			return lookUp(s.Name, err)
		}
		if err := led(stream.CachedInfo()); err != nil {
			return err
		}
		have := stream.CachedInfo().Config
		if err := otherPartitions(s, have); err != nil {
			return err // the rest would only say the same
		}
		found = append(found, differences(s, have)...)
	}
	for _, b := range topology.Buckets(layout) {
		if len(names) > 0 && !slices.Contains(names, b.Name) {
			continue
		}
		err := verifyBucket(ctx, js, b)
		if err != nil && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrDiffers) {
			return err
		}
		found = append(found, err)
	}
	return errors.Join(found...)
}

// led refuses what a server tells of a stream whose majority is missing: it knows
// the stream, and can do nothing for it.
func led(info *jetstream.StreamInfo) error {
	if info.Cluster == nil || info.Cluster.Leader != "" {
		return nil
	}
	return lookUp(info.Config.Name, ErrLeaderless)
}

func gone(s topology.Stream) error {
	return fmt.Errorf("%w: %s; a start with NATS_PROVISION=create makes it%s", ErrMissing, s.Name, besides(s))
}

// besides says what to delete first where a stream alone cannot be made again:
// CALLS follows its sources by their positions.
func besides(s topology.Stream) string {
	if s.Rollup && s.Name != topology.Deliveries {
		return ", but delete CALLS first, or it will hold events twice"
	}
	return ""
}

// verifyBucket checks what leases cannot do without, keys that expire and
// watchers that hear of it, and of what is to last that it does.
func verifyBucket(ctx context.Context, js jetstream.JetStream, b topology.Bucket) error {
	kv, err := js.KeyValue(ctx, b.Name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("%w: bucket %s; a start with NATS_PROVISION=create makes it", ErrMissing, b.Name)
	}
	if err != nil {
		return lookUp(topology.BucketStream(b.Name), err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return lookUp(topology.BucketStream(b.Name), err)
	}
	if b, ok := status.(*jetstream.KeyValueBucketStatus); ok {
		if err := led(b.StreamInfo()); err != nil {
			return err
		}
	}
	if b.MarkerTTL == 0 {
		return lasting(b, status)
	}
	if status.LimitMarkerTTL() <= 0 {
		return fmt.Errorf("%w: bucket %s lets no key expire (limit marker TTL), expected %s", ErrDiffers, b.Name, b.MarkerTTL)
	}
	return nil
}

func lasting(b topology.Bucket, status jetstream.KeyValueStatus) error {
	switch cfg := status.Config(); {
	case cfg.TTL > 0:
		return fmt.Errorf("%w: bucket %s forgets everything after %s, expected never", ErrDiffers, b.Name, cfg.TTL)
	case cfg.Storage != jetstream.FileStorage:
		return fmt.Errorf("%w: bucket %s has storage %s, expected %s", ErrDiffers, b.Name, cfg.Storage, jetstream.FileStorage)
	}
	return nil
}

// config translates a stream of the contract. Direct gets stay off: the fence
// needs answers from the leader.
func config(s topology.Stream) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name: s.Name, Description: s.Description, Subjects: s.Subjects, Retention: jetstream.LimitsPolicy,
		Storage: jetstream.FileStorage, MaxAge: s.MaxAge, Duplicates: s.Duplicates, Replicas: s.Replicas,
		DenyDelete: s.DenyDelete, DenyPurge: s.DenyPurge, AllowRollup: s.Rollup, AllowBatchPublish: s.Batches, Metadata: s.Metadata,
	}
	if s.Republish != "" {
		cfg.RePublish = &jetstream.RePublish{Source: s.Republish, Destination: s.Republish}
	}
	for _, src := range s.Sources {
		cfg.Sources = append(cfg.Sources, &jetstream.StreamSource{
			Name:              src.Stream,
			SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: src.From, Destination: src.To}},
		})
	}
	return cfg
}

func otherPartitions(s topology.Stream, have jetstream.StreamConfig) error {
	n, want := have.Metadata[topology.MetaPartitions], s.Metadata[topology.MetaPartitions]
	if n == "" || n == want {
		return nil
	}
	return fmt.Errorf("%w: %s was created for %s partitions, PARTITIONS says %s; a new number needs new streams", ErrDiffers, s.Name, n, want)
}

// differences ignores what an operator may choose freely: replicas, placement,
// size limits, compression and description; and whether batches are allowed, which a
// stream of an older version does not have.
func differences(s topology.Stream, have jetstream.StreamConfig) (found []error) {
	want := config(s)
	check := func(field, wanted, got string) {
		if wanted != got {
			found = append(found, fmt.Errorf("%w: %s has %s %s, expected %s", ErrDiffers, s.Name, field, got, wanted))
		}
	}
	check("subjects", sorted(want.Subjects), sorted(have.Subjects))
	check("sources", sourceList(want.Sources), sourceList(have.Sources))
	check("republish", republished(want.RePublish), republished(have.RePublish))
	check("retention", want.Retention.String(), have.Retention.String())
	check("storage", want.Storage.String(), have.Storage.String())
	check("max age", want.MaxAge.String(), have.MaxAge.String())
	check("deny delete", fmt.Sprint(want.DenyDelete), fmt.Sprint(have.DenyDelete))
	check("deny purge", fmt.Sprint(want.DenyPurge), fmt.Sprint(have.DenyPurge))
	check("allow rollup", fmt.Sprint(want.AllowRollup), fmt.Sprint(have.AllowRollup))
	check("discard policy", want.Discard.String(), have.Discard.String())
	check("sealed", "false", fmt.Sprint(have.Sealed))
	check("acks", "true", fmt.Sprint(!have.NoAck))
	check("mirror", "false", fmt.Sprint(have.Mirror != nil))
	if s.Rollup { // a log: its writer must be answered by the leader, and nothing in it may vanish
		check("direct gets", "false", fmt.Sprint(have.AllowDirect))
		check("limit a subject", "-1", fmt.Sprint(have.MaxMsgsPerSubject))
	}
	if have.Duplicates < want.Duplicates {
		check("duplicate window", "at least "+want.Duplicates.String(), have.Duplicates.Round(time.Second).String())
	}
	return found
}

func republished(r *jetstream.RePublish) string {
	if r == nil {
		return "nothing"
	}
	return r.Source + ">" + r.Destination
}

// lookUp says what is wrong when the server does not answer for a stream.
func lookUp(stream string, err error) error {
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		err = fmt.Errorf("%w: %w", ErrNoJetStream, err)
	}
	return fmt.Errorf("look up stream %s: %w", stream, err)
}

func sorted(items []string) string {
	items = slices.Clone(items)
	slices.Sort(items)
	return "[" + strings.Join(items, " ") + "]"
}

func sourceList(sources []*jetstream.StreamSource) string {
	items := make([]string, 0, len(sources))
	for _, s := range sources {
		item := s.Name
		for _, t := range s.SubjectTransforms {
			item += ":" + t.Source + ">" + t.Destination
		}
		items = append(items, item)
	}
	return sorted(items)
}
