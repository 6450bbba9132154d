// Nats writes down who may do what on the bus: as configuration of a server,
// with a user and a password for each, or as credentials signed by an operator.
//
// It owns the form only. What each may do is that of package topology, so that
// what is refused in a test is what is refused in production. It refuses to
// overwrite credentials, for those who hold them would be shut out, and keeps
// what it makes from other users of the machine. The caller owes the files of
// the keys a safe place: who has the operator's may make any user.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"ringstream/schemas/topology"
)

//go:generate go run . accounts -o accounts.conf -values values.yaml

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	clean    = 0
	failure  = 1
	badUsage = 2
)

const usage = `usage: nats accounts [-partitions 4] [-o accounts.conf] [-values values.yaml]
       nats creds -o DIR [-partitions 4] [-expires 8760h] [-account FILE] [user…]

accounts  the configuration of the server, with a user for each service; into values.yaml, too
creds     the same as credentials that an operator signs: DIR gets the keys, resolver.conf
          for the server, and one .creds for each user; with -account, the .nk of an account
          that is there already, only the .creds, of all users or of those named
`

// errUsage is wrapped by what is wrong with the arguments.
var errUsage = errors.New("usage")

func run(args []string, stdout, stderr io.Writer) int {
	err := do(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return clean
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "nats: %v\n%s", err, usage)
		return badUsage
	case err != nil:
		fmt.Fprintf(stderr, "nats: %v\n", err)
		return failure
	}
	return clean
}

func do(args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: accounts or creds?", errUsage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	partitions := flags.Int("partitions", topology.DefaultPartitions, "")
	out := flags.String("o", "", "")
	var work func(topology.Layout) error
	switch args[0] {
	case "accounts":
		values := flags.String("values", "", "")
		work = func(l topology.Layout) error { return writeAccounts(l, *out, *values, stdout) }
	case "creds":
		m := mint{}
		flags.StringVar(&m.account, "account", "", "")
		flags.DurationVar(&m.life, "expires", 0, "")
		work = func(l topology.Layout) error { return m.run(l, *out, flags.Args(), time.Now()) }
	case "help", "-h", "--help":
		return flag.ErrHelp
	default:
		return fmt.Errorf("%w: %q is unknown", errUsage, args[0])
	}
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errUsage, err)
	case *partitions < 1 || *partitions > topology.MaxPartitions:
		return fmt.Errorf("%w: -partitions is %d, expected 1 to %d", errUsage, *partitions, topology.MaxPartitions)
	}
	return work(topology.Layout{Partitions: *partitions, Replicas: 1})
}
