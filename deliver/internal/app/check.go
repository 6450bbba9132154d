package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/topology"
)

// Check tries every dependency once and changes nothing: no notification is sent.
func Check(ctx context.Context, s Settings) []probe.Result {
	return append(checkBus(ctx, s.Config), checkReapit(ctx, s)...)
}

func checkBus(ctx context.Context, cfg bus.Config) []probe.Result {
	nc, err := bus.Dial(cfg, name)
	if err != nil {
		return []probe.Result{failed("NATS_URL", err)}
	}
	defer nc.Close()
	reached := probe.Result{Name: "NATS_URL", OK: true, Detail: "connected to " + nc.ConnectedUrlRedacted()}
	js, err := bus.JetStream(nc)
	if err != nil {
		return []probe.Result{reached, failed("streams", err)}
	}
	return []probe.Result{reached, checkStreams(ctx, js, cfg)}
}

func checkStreams(ctx context.Context, js jetstream.JetStream, cfg bus.Config) probe.Result {
	err := bus.Verify(ctx, js, cfg.Layout(), topology.Calls, topology.Deliveries, topology.DeadLetters)
	switch {
	case err == nil:
		return probe.Result{Name: "streams", OK: true, Detail: "as the contract says"}
	case cfg.Provision == bus.ProvisionCreate && errors.Is(err, bus.ErrMissing) && !errors.Is(err, bus.ErrDiffers):
		return probe.Result{Name: "streams", OK: true, Detail: "missing, will be created at start"}
	default:
		return failed("streams", err)
	}
}

// checkReapit reads the negotiators, which takes a token first. Whether the
// application may notify shows only in a notification.
func checkReapit(ctx context.Context, s Settings) []probe.Result {
	client := s.client()
	defer client.Close()
	client.Admit = newBudget(s.Rate, s.Concurrency, s.Daily, time.Now).admit
	list, err := client.Negotiators(ctx, s.Customer)
	if err != nil {
		return []probe.Result{failed(blame(err), err)}
	}
	return []probe.Result{
		{Name: "REAPIT_TOKEN_URL", OK: true, Detail: "gave a token for " + s.ClientID},
		{Name: "REAPIT_CUSTOMER", OK: true, Detail: s.Customer + " has " + strconv.Itoa(len(list)) + " negotiators"},
		mapping(list, s),
	}
}

// blame names the setting to look at. The client's errors name it where it is
// about tokens.
func blame(err error) string {
	for _, setting := range []string{"REAPIT_CLIENT_SECRET", "REAPIT_TOKEN_URL", "REAPIT_API_URL"} {
		if strings.Contains(err.Error(), setting) {
			return setting
		}
	}
	return "REAPIT_CUSTOMER"
}

// mapping sums up who can be notified.
func mapping(list []reapit.Negotiator, s Settings) probe.Result {
	owners := map[string][]string{}
	active, silent := 0, 0
	for _, n := range list {
		if !n.Active {
			continue
		}
		active++
		if email := strings.ToLower(strings.TrimSpace(n.Email)); email != "" {
			owners[email] = append(owners[email], n.ID)
		} else {
			silent++
		}
	}
	shared := 0
	for _, ids := range owners {
		if len(ids) > 1 {
			shared++
		}
	}
	detail := fmt.Sprintf("%d active, %d of them without an e-mail address, %d addresses shared by several (these need NEGOTIATOR_OVERRIDES), %d overrides",
		active, silent, shared, len(s.Overrides))
	return probe.Result{Name: "mapping", OK: active > 0, Detail: detail}
}

func inWords(negotiators int) string { return strconv.Itoa(negotiators) + " active" }

func failed(name string, err error) probe.Result {
	return probe.Result{Name: name, Detail: err.Error()}
}
