// Package program is what every ringstream program does the same way at its
// command line: how settings are read, reported and printed, which subcommands
// there are, what the exit codes mean and what a signal does. It has the tools
// to end in order, too (see [Cleanups]).
//
// It owns the environment, the signals and the exit code, so that nothing else
// in a program touches them; main is one line:
//
//	os.Exit(program.Program[app.Settings]{…}.Main(os.Args[1:], os.Stdout, os.Stderr))
//
// It refuses to start anything with bad settings, and reports all of them at
// once. It knows no service: what a setting means is the service's business.
//
// A settings struct owes one envconfig tag to each setting:
//
//	RingTimeout time.Duration `envconfig:"RING_TIMEOUT" default:"2m" desc:"close a ringing call after this long"`
//
// Structs without that tag are flattened, embedded or not. Further tags:
// required:"true", and absent:"host name", which names a default that the
// program works out. A setting that is set but empty counts as not set. A name
// that ends in SECRET, PASSWORD, KEY or TOKEN makes a setting a secret: a string,
// also to be given as NAME_FILE, and never shown; a bool of such a name is none. A
// struct that has more to say about its values implements [Checker] or [Validator].
package program
