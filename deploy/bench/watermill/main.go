// Command watermill does transform's work with watermill, in watermill's own
// way: a router with one handler a partition, durable consumers with explicit
// acknowledgements, messages acknowledged asynchronously when their call events
// are published. It is what transform is compared with.
//
// It owns no rule about calls: it folds with transform's own fold, reads the same
// subjects and publishes the same messages under the same subjects. It refuses to
// be exactly once: a message that was not acknowledged comes again, later than
// those behind it. The state of a call is in memory only; when it starts, it folds
// RTE again as far as was acknowledged, which is kinder than what most would do.
// The caller owes the streams (topology) and consumers of its own for each
// comparison.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"ringstream/schemas/topology"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv("NATS_URL"), os.Getenv("PARTITIONS"), os.Getenv("WATERMILL_TRACK_IDS") != "")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // main
	}
}

func run(ctx context.Context, url, partitions string, track bool) error {
	n, err := strconv.Atoi(partitions)
	if err != nil {
		return fmt.Errorf("read PARTITIONS: %w", err)
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	router, err := route(nc, n, track)
	if err != nil {
		return err
	}
	if err := router.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run the router: %w", err)
	}
	return nil
}

// route gives each partition a handler of its own, which keeps the order of a call.
func route(nc *nats.Conn, partitions int, track bool) (*message.Router, error) {
	quiet := watermill.NopLogger{}
	router, err := message.NewRouter(message.RouterConfig{}, quiet)
	if err != nil {
		return nil, fmt.Errorf("make the router: %w", err)
	}
	publisher, err := jetstream.NewPublisher(jetstream.PublisherConfig{Conn: nc, Logger: quiet, ConfigureStream: subjectIs})
	if err != nil {
		return nil, fmt.Errorf("make the publisher: %w", err)
	}
	for p := range partitions {
		f := &folding{partition: p, to: publisher, track: track}
		subscriber, err := jetstream.NewSubscriber(jetstream.SubscriberConfig{
			Conn: nc, Logger: quiet, AckWaitTimeout: ackWait, AckAsync: true, Unmarshaler: reading{}, ResourceInitializer: f.consumer,
		})
		if err != nil {
			return nil, fmt.Errorf("make the subscriber of partition %d: %w", p, err)
		}
		router.AddConsumerHandler("fold "+strconv.Itoa(p), topology.RawOf(p), subscriber, f.handle)
	}
	return router, nil
}
