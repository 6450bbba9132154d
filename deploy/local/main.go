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

	"ringstream/deploy/local/stack"
)

// Exit codes, as of every command here.
const (
	exitClean    = 0
	exitFailure  = 1
	exitSettings = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// The second Ctrl-C ends the program at once, and with it what it started.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr, paintFor(os.Stdout, os.Getenv))
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args, environ []string, out, problems io.Writer, p paint) int {
	c, err := readConfig(args, environ, problems)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitClean
	case err != nil:
		fmt.Fprintln(problems, err)
		return exitSettings
	}
	d := &demo{config: c, out: out, paint: p}
	err = d.run(ctx)
	if errors.Is(err, errStopped) && !c.once {
		return exitClean
	}
	if err != nil {
		fmt.Fprintf(problems, "\n%v\n", err)
		return exitFailure
	}
	return exitClean
}

// demo is one run.
type demo struct {
	config config
	out    io.Writer
	paint  paint
	stack  *stack.Stack
}

func (d *demo) run(ctx context.Context) error {
	if d.config.options.Bare && !d.config.kept {
		dir, err := os.MkdirTemp("", "ringstream-empty-")
		if err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		d.config.options.Dir = dir
	}
	fmt.Fprintln(d.out, d.paint.bold("ringstream"), "starts in", d.config.options.Dir)
	options := d.config.options
	options.Out = d.out
	s, err := stack.Start(ctx, options)
	switch {
	case err != nil && ctx.Err() != nil:
		return errStopped
	case err != nil:
		return err
	}
	d.stack = s
	defer d.stop()
	if options.Bare {
		introEmpty(d.out, d.paint, s, d.config)
		<-ctx.Done()
		return errStopped
	}
	intro(d.out, d.paint, s, d.config)
	return d.show(ctx)
}

func (d *demo) stop() {
	fmt.Fprintln(d.out, "\nstopping")
	d.stack.Stop()
	if d.config.options.Bare && !d.config.kept {
		fmt.Fprintln(d.out, "stopped; nothing stays")
		return
	}
	fmt.Fprintln(d.out, "stopped; data and logs stay in", d.config.options.Dir)
}
