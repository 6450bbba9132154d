// Command trial rings one person of the simulated agency and says whether the
// right screen showed it: from Enreach's simulator through ingest, transform and
// deliver, wherever they run, to Reapit's. It knows the simulators' control API and
// nothing else, and refuses to be content with less, or with more, than the three
// notifications that the call must lead to. Who starts it owes it simulators on
// both sides: there is no trial of real ones.
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
	"time"
)

// Exit codes, as of every command here.
const (
	exitClean    = 0
	exitFailure  = 1
	exitSettings = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, problems io.Writer) int {
	var t trial
	flags := flag.NewFlagSet("trial", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&t.rte, "rte", "", "URL of rte-sim")
	flags.StringVar(&t.reapit, "reapit", "", "URL of reapit-sim")
	flags.IntVar(&t.listeners, "listeners", 1, "how many replicas of ingest must listen first")
	within := flags.Duration("within", time.Minute, "for how long to wait for all of it")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitClean
	case err != nil:
		return exitSettings
	case flags.NArg() > 0, t.rte == "", t.reapit == "":
		fmt.Fprintln(problems, "trial: -rte and -reapit say where the simulators are")
		return exitSettings
	}
	ctx, cancel := context.WithTimeout(ctx, *within)
	defer cancel()
	if err := t.run(ctx, out); err != nil {
		fmt.Fprintln(problems, "trial:", err)
		return exitFailure
	}
	return exitClean
}
