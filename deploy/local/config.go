package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringstream/deploy/local/stack"
)

// config is what the flags and the environment ask for.
type config struct {
	options stack.Options
	once    bool
	kept    bool // somebody says where the data is to stay
	every   time.Duration
	speed   float64
}

// firstPort is where a run looks for ports, so that addresses are mostly the
// same from one run to the next.
const firstPort = 20_100

const usage = `ringstream-local runs all of ringstream on this machine: an embedded NATS server, simulators
of Enreach and Reapit, and the services ingest, transform and deliver. It plays
sample calls and shows what becomes of them, until Ctrl-C.

  make run                        from the root; builds first
  make run ARGS="-once"           plays each sample call once; exit 1 unless every
                                  expected notification arrived (ONCE=1 does the same)
  make run ARGS="-empty"          NATS alone, for replay import to fill; unless -dir is
                                  given, what is imported is gone with it

The real sides. With any ENREACH_* set, Enreach's simulator is not started, no sample
call is played and numbers are masked: ENREACH_USERNAME, ENREACH_SECRET_KEY and
RTE_SUBSCRIPTIONS are passed to ingest. With REAPIT_API_URL, REAPIT_TOKEN_URL,
REAPIT_CLIENT_ID, REAPIT_CLIENT_SECRET, REAPIT_CUSTOMER or TENANTS_FILE set, Reapit's is
not started: sample calls are then shown to real negotiators, if
NEGOTIATOR_OVERRIDES maps the sample's users (jane@agency.example=TST) or their
addresses exist there. Data of real sides is kept apart from that of simulators.

Other settings of the services, such as RING_TIMEOUT, LOG_LEVEL or REAPIT_RATE, are
passed to all of them. NATS_* and HTTP_ADDR are not: the run has its own.

  RINGSTREAM_DIR   data and logs; from the root unless absolute (.ringstream)
  NO_COLOR         plain text, as it is when the output is no terminal
  ONCE             1: as -once

Flags:
`

func readConfig(args, environ []string, problems io.Writer) (config, error) {
	env := settings(environ)
	root, err := findRoot()
	if err != nil {
		return config{}, err
	}
	c := config{options: stack.Options{FirstPort: firstPort, RealEnreach: set(env, stack.ForEnreach), RealReapit: set(env, stack.ForReapit)}}
	flags := flag.NewFlagSet("ringstream-local", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.Usage = func() {
		fmt.Fprint(problems, usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&c.once, "once", env["ONCE"] != "" && env["ONCE"] != "0", "play each sample call once, check, and exit")
	flags.BoolVar(&c.options.Bare, "empty", false, "NATS alone, without streams, for replay import")
	flags.DurationVar(&c.every, "every", 20*time.Second, "pause between two rounds of sample calls; 0: one round, then watch")
	flags.Float64Var(&c.speed, "speed", 1, "how fast sample calls are played; 2 is twice as fast")
	flags.StringVar(&c.options.Dir, "dir", under(root, env["RINGSTREAM_DIR"], ".ringstream"), "data and logs")
	flags.StringVar(&c.options.Bin, "bin", filepath.Join(root, "bin"), "where the binaries are")
	flags.IntVar(&c.options.Ingest, "ingest", 1, "replicas of ingest")
	flags.IntVar(&c.options.Transform, "transform", 1, "replicas of transform")
	flags.IntVar(&c.options.Deliver, "deliver", 1, "replicas of deliver")
	flags.IntVar(&c.options.Partitions, "partitions", 4, "partitions of RTE; fixed by the first run on a directory")
	flags.IntVar(&c.options.NATSPort, "nats-port", 0, "port of NATS; 0: 4222, or another when that is in use")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	flags.Visit(func(f *flag.Flag) { c.kept = c.kept || f.Name == "dir" })
	return c, c.check(flags.Args())
}

func (c config) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q; -help tells what there is", rest[0])
	case c.once && c.options.Bare:
		return errors.New("-once plays sample calls, and -empty has nobody to play them to")
	case c.once && (c.options.RealEnreach || c.options.RealReapit):
		return errors.New("-once checks what simulators say, and ENREACH_* or REAPIT_* is set; unset them")
	case c.speed <= 0:
		return errors.New("-speed must be positive")
	case c.every < 0:
		return errors.New("-every must not be negative")
	case c.options.Ingest < 1 || c.options.Transform < 1 || c.options.Deliver < 1:
		return errors.New("-ingest, -transform and -deliver must be at least 1")
	case c.options.NATSPort < -1 || c.options.NATSPort > math.MaxUint16:
		return fmt.Errorf("-nats-port: %d is no port; 0 takes 4222, or another when that is in use", c.options.NATSPort)
	}
	return nil
}

func settings(environ []string) map[string]string {
	all := map[string]string{}
	for _, setting := range environ {
		name, value, _ := strings.Cut(setting, "=")
		all[name] = value
	}
	return all
}

// set reports whether a setting of that kind has a value.
func set(env map[string]string, kind func(string) bool) bool {
	for name, value := range env {
		if value != "" && kind(name) {
			return true
		}
	}
	return false
}

func under(root, dir, otherwise string) string {
	if dir == "" {
		dir = otherwise
	}
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(root, dir)
}

// findRoot looks for the root of the repository from the working directory up;
// without one the working directory serves.
func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return start, nil
		}
	}
}
