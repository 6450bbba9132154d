// Command reapit-sim serves a strict imitation of Reapit's token, negotiators and notifications endpoints. What it imitates and
// how it is controlled is told by package reapitsim. It keeps nothing, and needs nothing but a port.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/program"
)

type settings struct {
	Addr         string   `envconfig:"REAPIT_SIM_ADDR" default:"127.0.0.1:0" desc:"where to listen; port 0 takes a free one"`
	AddrFile     string   `envconfig:"REAPIT_SIM_ADDR_FILE" desc:"file that is given the address, host:port, once it listens"`
	ClientID     string   `envconfig:"REAPIT_SIM_CLIENT_ID" default:"demo-client" desc:"the one application"`
	ClientSecret string   `envconfig:"REAPIT_SIM_CLIENT_SECRET" default:"demo-secret" desc:"its secret"`
	Customers    []string `envconfig:"REAPIT_SIM_CUSTOMERS" default:"SBOX,RES,YOM-GNVS" desc:"customers who have installed it"`
	Negotiators  string   `envconfig:"REAPIT_SIM_NEGOTIATORS" desc:"YAML file, customer to list of negotiators; * is every other customer"`
}

func main() { os.Exit(tool(os.Stdout).Main(os.Args[1:], os.Stdout, os.Stderr)) }

func tool(out io.Writer) program.Tool[settings] {
	return program.Tool[settings]{
		Name: "reapit-sim", Summary: "simulates Reapit's side: token, negotiators and notifications, strictly",
		Doc: reapitsim.Doc, Sections: []string{"Control"},
		Run: func(ctx context.Context, s settings) error { return run(ctx, s, out) },
	}
}

func run(ctx context.Context, set settings, out io.Writer) error {
	people, err := negotiators(set.Negotiators)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	sim := reapitsim.New(reapitsim.Options{
		ClientID: set.ClientID, ClientSecret: set.ClientSecret, Customers: set.Customers, Negotiators: people,
	})
	if err := announce(listener.Addr().String(), set.AddrFile); err != nil {
		return errors.Join(err, listener.Close())
	}
	_, _ = fmt.Fprintf(out, "reapit-sim listening on http://%s\n", listener.Addr()) // it serves, whether anybody reads that or not
	return serve(ctx, listener, sim)
}

func serve(ctx context.Context, listener net.Listener, sim *reapitsim.Sim) error {
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	sim.Close()
	limited, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if server.Shutdown(limited) != nil {
		_ = server.Close() // whoever is still there has had its time
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func announce(addr, file string) error {
	if file == "" {
		return nil
	}
	// A reader must never see half an address.
	if err := os.WriteFile(file+".new", []byte(addr+"\n"), 0o600); err != nil {
		return fmt.Errorf("write address: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write address: %w", err)
	}
	return nil
}

func negotiators(file string) (reapitsim.Directory, error) {
	if file == "" {
		return reapitsim.DefaultDirectory(), nil
	}
	f, err := os.Open(file) //nolint:gosec // whoever starts the simulator names the file
	if err != nil {
		return nil, fmt.Errorf("open negotiators: %w", err)
	}
	defer f.Close()
	return reapitsim.ReadDirectory(f)
}
