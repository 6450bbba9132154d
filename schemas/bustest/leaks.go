package bustest

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, the parallel ones of them four at a time
// unless -parallel says otherwise: what they do most is wait for leases, retries
// and servers, not for a processor. It fails when goroutines are left over, but
// for one that nats-server itself leaves when it stops while a stream is looking
// for its sources; it ends by its own timer.
func Main(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // every test binary has it
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"))
}
