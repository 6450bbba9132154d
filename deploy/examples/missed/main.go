// Missed is a subscriber of one's own: it writes every missed call into a CSV
// file, each once, whatever is killed when.
//
// It owns the file and its place in CALLS, a durable consumer. A row is on disk
// before its message is acknowledged, so none is lost; a message that comes
// again, because the acknowledgement was lost, is known by the id of its event,
// so none is there twice. It refuses to share the file with another process.
// The caller owes it the same -durable for the same file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

// Exit codes.
const (
	clean    = 0 // stopped as asked
	failure  = 1
	badUsage = 2
)

func run(ctx context.Context, args []string, problems io.Writer) int {
	var s subscriber
	var file string
	flags := flag.NewFlagSet("missed", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&s.url, "nats", or(os.Getenv("NATS_URL"), "nats://127.0.0.1:4222"), "NATS servers, comma separated (NATS_URL)")
	flags.StringVar(&s.creds, "creds", os.Getenv("NATS_CREDS"), "path of a user credentials file (NATS_CREDS)")
	flags.StringVar(&s.durable, "durable", "missed-calls", "name of the consumer that remembers where it was")
	flags.BoolVar(&s.mask, "mask", false, "write the last three digits of numbers only")
	flags.StringVar(&file, "o", "missed.csv", "file to append to")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return clean
	case err != nil:
		return badUsage
	case flags.NArg() > 0:
		fmt.Fprintf(problems, "missed: unknown argument %q\n", flags.Arg(0))
		return badUsage
	}
	if err := s.write(ctx, file); err != nil {
		fmt.Fprintf(problems, "missed: %v\n", err)
		return failure
	}
	return clean
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
