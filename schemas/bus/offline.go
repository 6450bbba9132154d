package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/probe"
)

// Offline gives an error its meaning: a connection that keeps nothing back
// while it is away says that its buffer is full.
func Offline(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return fmt.Errorf("%w (NATS_URL)", ErrOffline)
	}
	return err
}

// Online is the condition of readiness that every service states of its
// connection.
func Online(connected bool) probe.Result {
	if !connected {
		return probe.Result{Detail: ErrOffline.Error()}
	}
	return probe.Result{OK: true, Detail: "connected to NATS"}
}
