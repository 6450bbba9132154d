package bustest

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails when goroutines are left over,
// but for one that nats-server itself leaves when it stops while a stream is
// looking for its sources; it ends by its own timer.
func Main(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"))
}
