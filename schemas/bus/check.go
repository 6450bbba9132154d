package bus

import (
	"context"
	"errors"

	"ringstream/schemas/probe"
)

const asContract = "as the contract says"

// Check tries, for a service's check, to connect as it would and compares the
// streams and buckets that it uses with the contract.
func Check(ctx context.Context, cfg Config, name string, uses ...string) []probe.Result {
	nc, err := Dial(cfg, name)
	if err != nil {
		return []probe.Result{{Name: "NATS_URL", Detail: err.Error()}}
	}
	defer nc.Close()
	reached := probe.Result{Name: "NATS_URL", OK: true, Detail: "connected to " + nc.ConnectedUrlRedacted() + ", version " + nc.ConnectedServerVersion()}
	js, err := JetStream(nc)
	if err == nil {
		err = Verify(ctx, js, cfg.Layout(), uses...)
	}
	streams := probe.Result{Name: "streams", OK: true, Detail: asContract}
	switch {
	case err == nil:
	case cfg.Provision == ProvisionCreate && errors.Is(err, ErrMissing) && !errors.Is(err, ErrDiffers):
		streams.Detail = "some are missing and will be created at the start"
	default:
		streams.OK, streams.Detail = false, err.Error()
	}
	return []probe.Result{reached, streams}
}
