package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"ringstream/deploy/local/stack"
)

// nonroot is the user of every image.
const nonroot = 65532

var errImage = errors.New("the image is not as it must be")

// try starts NATS and the simulators, and each service in a container of its own.
func try(ctx context.Context, bundles, binaries string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "ringstream-try-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	around, err := stack.Start(ctx, stack.Options{Dir: filepath.Join(dir, "stack"), Bin: binaries, NATSPort: -1, Ingest: -1, Transform: -1, Deliver: -1})
	if err != nil {
		return err
	}
	defer around.Stop()
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Chown(data, nonroot, nonroot)); err != nil {
		return err
	}
	for _, service := range []string{"ingest", "transform", "deliver"} {
		settings, err := settingsOf(service, around)
		if err != nil {
			return err
		}
		c := container{name: "ringstream-try-" + service, bundle: filepath.Join(bundles, service), data: data, settings: settings, out: out}
		if err := c.try(ctx); err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
	}
	return nil
}

// settingsOf are what a service needs to be ready beside the stack.
func settingsOf(service string, around *stack.Stack) (map[string]string, error) {
	address, err := free()
	if err != nil {
		return nil, err
	}
	settings := map[string]string{"HTTP_ADDR": address, "NATS_URL": around.NATSURL()}
	switch service {
	case "ingest":
		settings["ENREACH_API_URL"], settings["ENREACH_USERNAME"], settings["ENREACH_SECRET_KEY"] = around.RTESim(), "demo@agency.example", "demo-secret"
		settings["RTE_SUBSCRIPTIONS"] = "user:aa9730c4-ce86-e611-80c9-00505689257e"
	case "deliver":
		settings["REAPIT_API_URL"], settings["REAPIT_TOKEN_URL"] = around.ReapitSim(), around.ReapitSim()+"/oauth/token"
		settings["REAPIT_CLIENT_ID"], settings["REAPIT_CLIENT_SECRET"], settings["REAPIT_CUSTOMER"] = "demo-client", "demo-secret", "SBOX"
	}
	return settings, nil
}

func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
