// Command rte-sim runs a simulator of Enreach's side: REST token and RTE hub.
// rte-sim --help tells its settings, scenarios and control API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/program"
)

func main() { os.Exit(tool(os.Stdout).Main(os.Args[1:], os.Stdout, os.Stderr)) }

func tool(out io.Writer) program.Tool[rtesim.Settings] {
	return program.Tool[rtesim.Settings]{
		Name: "rte-sim", Summary: "simulates Enreach's side: discovery, token and RTE hub",
		Doc: rtesim.Doc, Sections: []string{"Scenarios", "Control API"},
		Run: func(ctx context.Context, s rtesim.Settings) error { return serve(ctx, s, out) },
	}
}

func serve(ctx context.Context, settings rtesim.Settings, out io.Writer) error {
	sim, err := rtesim.Start(settings, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "rte-sim listening on", sim.URL()) // it serves, whether anybody reads that or not
	select {
	case <-ctx.Done():
	case err = <-sim.Served():
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, sim.Close())
}
