package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/topology"
)

// Check tries every dependency once and changes nothing: no notification is sent.
func Check(ctx context.Context, s Settings) []probe.Result {
	return append(bus.Check(ctx, s.Config, name, append(uses(), topology.Negotiators)...), checkReapit(ctx, s)...)
}

// uses are the streams that the service reads or writes, and the lease bucket. It
// does without that of the negotiators.
func uses() []string {
	return []string{topology.Calls, topology.Deliveries, topology.DeadLetters, topology.Leases}
}

// checkReapit reads the negotiators, which takes a token first. Whether the
// application may notify shows only in a notification.
func checkReapit(ctx context.Context, s Settings) []probe.Result {
	client := s.client()
	defer client.Close()
	client.Admit = newBudget(s.Rate, s.Concurrency, s.Daily, time.Now).admit
	list, err := client.Negotiators(ctx, s.Customer)
	if err != nil {
		var results []probe.Result
		for _, name := range blame(err) {
			results = append(results, failed(name, err))
		}
		return results
	}
	results := []probe.Result{
		{Name: reapit.SettingTokenURL, OK: true, Detail: "gave a token for " + s.ClientID},
		{Name: reapit.SettingCustomer, OK: true, Detail: s.Customer + " has " + strconv.Itoa(len(list)) + " negotiators"},
		mapping(list, s),
	}
	if strange := unlisted(list, s.Overrides); len(strange) > 0 {
		results = append(results, probe.Result{
			Name:   "NEGOTIATOR_OVERRIDES",
			Detail: s.Customer + " lists no negotiator " + strings.Join(strange, ", ") + ", to whom deliver would send all the same",
		})
	}
	return results
}

// unlisted are the negotiators of overrides whom Reapit does not list, in any casing.
func unlisted(list []reapit.Negotiator, overrides directory.Overrides) []string {
	strange := map[string]bool{}
	for _, id := range overrides {
		if !slices.ContainsFunc(list, func(n reapit.Negotiator) bool { return strings.EqualFold(n.ID, id) }) {
			strange[id] = true
		}
	}
	return slices.Sorted(maps.Keys(strange))
}

// blame names the settings to look at, or what else is wrong.
func blame(err error) []string {
	var fault *reapit.FaultError
	switch {
	case errors.Is(err, reapit.ErrMalformed): // something answers, but not Reapit
		return []string{reapit.SettingAPIURL}
	case !errors.As(err, &fault):
		return []string{"negotiators"}
	case fault.Result.Ungranted():
		return []string{"scope " + reapit.ScopeNegotiators}
	case fault.Result.Suspect() == "":
		return []string{"negotiators"}
	default:
		return strings.Split(fault.Result.Suspect(), " or ")
	}
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
