// Command try runs the images of the three services as a node would run them, and
// says whether each of them does its work: under runc, as user 65532, with a root
// that nobody can write to, without any capability.
//
// It takes a directory of bundles, <service>/config.json and <service>/rootfs, as
// umoci unpacks them (see try.sh), and the directory of the binaries of make build
// for NATS and the simulators beside them. The containers share the network of this
// machine, which is loopback only. It needs root, as runc does here.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: try bundles binaries")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := try(ctx, os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "try:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}
