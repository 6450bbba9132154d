package stack

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringstream/schemas/topology"
)

// Options say what to run.
type Options struct {
	Dir string // data and logs; made when it is not there
	Bin string // directory of the binaries

	Ingest, Transform, Deliver int // replicas; 0 means 1, less than 0 none
	Partitions                 int // 0 means the contract's default

	// Env are further settings, as NAME=value, of a program ("ingest") or of
	// one process of it ("ingest-2"). They win over all others.
	Env map[string][]string

	// With these the simulator of that side is not started, and the services
	// get its settings (ENREACH_* and RTE_*, REAPIT_*) from the environment.
	RealEnreach, RealReapit bool

	// Bare starts NATS alone, without streams, for what replay imports.
	Bare bool

	Guard *Guard // whom NATS lets in; nil: whoever is on this machine

	NATSPort  int // 0: 4222, or a free one when that is in use; less than 0: a free one
	FirstPort int // where to begin to look for free ports; 0: anywhere

	Patience time.Duration // how long a process may take to become ready; 0 means 60 s
	Grace    time.Duration // how long one may take to end after SIGTERM; 0 means 8 s
	Out      io.Writer     // is told what is being started and awaited; nil: nobody
}

const (
	defaultPatience = 60 * time.Second
	defaultGrace    = 8 * time.Second
)

func (o Options) complete() (Options, error) {
	o.Ingest, o.Transform, o.Deliver = cmp.Or(o.Ingest, 1), cmp.Or(o.Transform, 1), cmp.Or(o.Deliver, 1)
	o.Partitions = cmp.Or(o.Partitions, topology.DefaultPartitions)
	o.Patience, o.Grace = cmp.Or(o.Patience, defaultPatience), cmp.Or(o.Grace, defaultGrace)
	if o.Out == nil {
		o.Out = io.Discard
	}
	dir, err := filepath.Abs(o.Dir)
	bin, err2 := filepath.Abs(o.Bin)
	if err := errors.Join(err, err2); err != nil {
		return o, err
	}
	o.Dir, o.Bin = dir, bin
	return o, o.missing()
}

// missing names the binaries that are not there.
func (o Options) missing() error {
	if o.Bare {
		return nil
	}
	var names []string
	for _, program := range o.programs() {
		if info, err := os.Stat(filepath.Join(o.Bin, program)); err != nil || info.IsDir() {
			names = append(names, program)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("%w in %s: %s; run make build", ErrMissing, o.Bin, strings.Join(names, ", "))
}

func (o Options) programs() []string {
	var all []string
	for _, p := range []struct {
		name   string
		wanted bool
	}{
		{RTESim, !o.RealEnreach},
		{ReapitSim, !o.RealReapit},
		{Ingest, o.Ingest > 0},
		{Transform, o.Transform > 0},
		{Deliver, o.Deliver > 0},
	} {
		if p.wanted {
			all = append(all, p.name)
		}
	}
	return all
}

// store is where NATS keeps its streams. What a simulator made up never meets
// what is real: neither may be delivered on the other's screens.
func (o Options) store() string {
	switch {
	case o.Bare:
		return filepath.Join(o.Dir, "nats-bare")
	case o.RealEnreach && o.RealReapit:
		return filepath.Join(o.Dir, "nats-real")
	case o.RealEnreach:
		return filepath.Join(o.Dir, "nats-real-enreach")
	case o.RealReapit:
		return filepath.Join(o.Dir, "nats-real-reapit")
	}
	return filepath.Join(o.Dir, "nats")
}

func (o Options) logs() string { return filepath.Join(o.Dir, "logs") }
