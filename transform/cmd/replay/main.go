// Replay folds the raw stream again, to see what it says and whether CALLS agrees.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ringstream/transform/internal/replay"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	return replay.Main(ctx, os.Args[1:], replay.IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now(),
		Colour: terminal(os.Stdout) && !plain,
		// Whoever reads a pipe may write to the same terminal, between a line and its end.
		Progress: terminal(os.Stderr) && !is(os.Stdout, os.ModeNamedPipe) && os.Getenv("TERM") != "dumb",
	})
}

func terminal(f *os.File) bool { return is(f, os.ModeCharDevice) }

func is(f *os.File, kind os.FileMode) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&kind != 0
}
