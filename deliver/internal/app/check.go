package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// Check tries every dependency once, and no notification is sent. It uses tokens
// of Reapit's for whom the service would, and so records, as that does, whose they are:
// all that it changes.
func Check(ctx context.Context, s Settings) []probe.Result {
	results := bus.Check(ctx, s.Config, name, append(uses(), topology.Negotiators)...)
	nc, err := bus.Dial(s.Config, name)
	if err != nil { // which is told
		return append(results, checkReapit(ctx, s, nil)...)
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return append(results, failed("NATS_URL", err))
	}
	kept := newOwners(js, slog.New(slog.DiscardHandler))
	return slices.Concat(results, checkReapit(ctx, s, kept.claim), kept.checked())
}

// uses are the streams that the service reads or writes, and the lease bucket. It
// does without that of the negotiators.
func uses() []string {
	return []string{topology.Calls, topology.Deliveries, topology.DeadLetters, topology.Leases}
}

// checkReapit reads the negotiators, which takes a token first, one request at a
// time: it is one beside those of a deliver that runs. Whether the application may
// notify shows only in a notification.
func checkReapit(ctx context.Context, s Settings, claim func(ctx context.Context, hash, customer string, until time.Time) string) []probe.Result {
	tenants, err := s.tenants()
	if err != nil {
		return []probe.Result{failed(settingTenants, err)}
	}
	client := s.client()
	defer client.Close()
	client.Customers = tenants.Customers
	client.Admit, client.Claim = newBudget(s.Rate, 1, s.Daily, time.Now).admit, claim
	if s.TenantsFile != "" {
		return checkTenants(ctx, client, tenants)
	}
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
		mapping(list, s.Overrides),
	}
	if strange := unlisted(list, s.Overrides); len(strange) > 0 {
		results = append(results, probe.Result{Name: "NEGOTIATOR_OVERRIDES", Detail: s.Customer + " " + inVain(strange)})
	}
	return results
}

// checkTenants has one result for each customer.
func checkTenants(ctx context.Context, client *reapit.Client, tenants directory.Tenants) []probe.Result {
	customers := tenants.Customers()
	results := make([]probe.Result, len(customers))
	for i, customer := range customers {
		list, err := client.Negotiators(ctx, customer)
		results[i] = checked(list, err, tenants.Overrides(customer))
		results[i].Name = "customer " + customer
		results[i].Detail = organizations(tenants.Organizations(customer)) + ": " + results[i].Detail
	}
	return append([]probe.Result{{Name: settingTenants, OK: true, Detail: tenants.String()}}, results...)
}

func organizations(n int) string {
	if n == 1 {
		return "one organization"
	}
	return strconv.Itoa(n) + " organizations"
}

// checked sums up one customer.
func checked(list []reapit.Negotiator, err error, overrides directory.Overrides) probe.Result {
	if err != nil {
		return probe.Result{Detail: err.Error()}
	}
	r := mapping(list, overrides)
	r.Detail = "has a token and " + strconv.Itoa(len(list)) + " negotiators, " + r.Detail
	if strange := unlisted(list, overrides); len(strange) > 0 {
		r.OK = false
		r.Detail += "; it " + inVain(strange)
	}
	return r
}

func inVain(strange []string) string {
	return "lists no negotiator " + strings.Join(strange, ", ") + ", to whom deliver would send all the same"
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
func mapping(list []reapit.Negotiator, overrides directory.Overrides) probe.Result {
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
	detail := fmt.Sprintf("%d active, %d of them without an e-mail address, %d addresses shared by several (these need overrides), %d overrides",
		active, silent, shared, len(overrides))
	return probe.Result{Name: "mapping", OK: active > 0, Detail: detail}
}

func inWords(negotiators int) string { return strconv.Itoa(negotiators) + " active" }

func failed(name string, err error) probe.Result {
	return probe.Result{Name: name, Detail: err.Error()}
}
