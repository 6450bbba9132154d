// Command rte-sim runs a simulator of Enreach's side: REST token and RTE hub.
// rte-sim --help tells its settings, scenarios and control API.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"ringstream/ingest/internal/rtesim"
)

// Exit codes, as of every command here.
const (
	exitFailure  = 1
	exitSettings = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(arguments []string) int {
	if len(arguments) > 0 {
		fmt.Print(rtesim.Usage())
		if a := arguments[0]; a == "--help" || a == "-h" || a == "help" {
			return 0
		}
		return exitSettings
	}
	settings, err := rtesim.FromEnvironment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitSettings
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, settings); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailure
	}
	return 0
}

func serve(ctx context.Context, settings rtesim.Settings) error {
	sim, err := rtesim.Start(settings, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	fmt.Println("rte-sim listening on", sim.URL())
	select {
	case <-ctx.Done():
	case err = <-sim.Served():
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, sim.Close())
}
