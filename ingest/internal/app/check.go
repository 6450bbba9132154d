package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ringstream/ingest/internal/hub"
	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/spool"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/probe"
	"ringstream/schemas/topology"
)

// Check tries every dependency once and changes nothing.
func Check(ctx context.Context, s Settings) []probe.Result {
	results := append(bus.Check(ctx, s.Config, name, topology.RTE, topology.DeadLetters), checkSpool(s.SpoolDir))
	return append(results, checkHub(ctx, s, hub.DefaultLimits())...)
}

func checkSpool(dir string) probe.Result {
	r := probe.Result{Name: "SPOOL_DIR", OK: true, Detail: dir + " can be written"}
	if err := spool.Check(dir); err != nil {
		r.OK, r.Detail = false, err.Error()
	}
	return r
}

func checkHub(ctx context.Context, s Settings, limits hub.Limits) []probe.Result {
	web, done := client()
	defer done()
	api := s.api(web)
	where := "ENREACH_DISCOVERY_URL"
	if s.APIURL != "" {
		where = "ENREACH_API_URL"
	}
	base, err := api.Discover(ctx)
	if err != nil {
		return []probe.Result{failed(blamed(err, where), err)}
	}
	api.URL = base
	grant, err := api.Grant(ctx)
	if setting := blamed(err, where); err != nil && setting == where {
		return []probe.Result{failed(where, err)}
	} else if err != nil {
		return []probe.Result{found(where, base), failed(setting, err)}
	}
	results := []probe.Result{
		found(where, base),
		{Name: "ENREACH_SECRET_KEY", OK: true, Detail: "got an RTE token for " + s.RTEUser},
	}
	trial := hub.Hub{Source: s.source(), HTTP: web, Limits: limits, Log: slog.New(slog.DiscardHandler)}
	began := time.Now()
	answers, err := trial.Try(ctx, grant)
	if err != nil {
		return append(results, failed("hub", err))
	}
	results = append(results, probe.Result{
		Name: "hub", OK: true, Detail: fmt.Sprintf("connected to %s in %s", grant.Host(), time.Since(began).Round(time.Millisecond)),
	})
	return append(results, checkSubscriptions(answers)...)
}

func found(where, base string) probe.Result {
	return probe.Result{Name: where, OK: true, Detail: "REST API is " + base}
}

// blamed is the setting to look at after an error of the REST API at where.
func blamed(err error, where string) string {
	switch {
	case errors.Is(err, rte.ErrUnauthorized):
		return "ENREACH_SECRET_KEY"
	case errors.Is(err, rte.ErrUnknownUser):
		return "ENREACH_USERNAME"
	default:
		return where
	}
}

// checkSubscriptions fails when nothing was subscribed, as readiness does, and
// warns of what was refused, in one line for each entity and reason.
func checkSubscriptions(answers []event.Subscription) []probe.Result {
	const name = "subscriptions"
	type refusal struct{ entity, reason string }
	var order []refusal
	events := map[refusal][]string{}
	held := 0
	for _, a := range answers {
		if a.Subscribed {
			held++
			continue
		}
		r := refusal{a.EntityID, a.Message}
		if events[r] == nil {
			order = append(order, r)
		}
		events[r] = append(events[r], a.EventName)
	}
	detail := fmt.Sprintf("%d subscribed, %d refused", held, len(answers)-held)
	results := []probe.Result{{Name: name, OK: held > 0, Detail: detail}}
	for _, r := range order {
		detail := fmt.Sprintf("%s is refused %s: %s", r.entity, some(events[r]), r.reason)
		if held > 0 {
			detail = "warning: " + detail
		}
		results = append(results, probe.Result{Name: name, OK: held > 0, Detail: detail})
	}
	return results
}

// some names the first of many.
func some(names []string) string {
	const shown = 5
	if more := len(names) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), more)
	}
	return strings.Join(names, ", ")
}

func failed(name string, err error) probe.Result {
	return probe.Result{Name: name, Detail: err.Error()}
}
