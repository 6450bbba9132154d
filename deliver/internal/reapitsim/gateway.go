package reapitsim

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	scopeNotifications = "notifications.telephony.write"
	scopeNegotiators   = "negotiators.read"
	apiVersion         = "2020-01-31"
)

// platform is what stands before every resource: credentials, headers, limits, scope.
func (s *Sim) platform(x *exchange, scope string, resource func(*exchange) answer) {
	caller := x.customer
	s.meter.begin(s.now(), caller)
	counted := func() { s.meter.end(caller) }
	x.over = sync.OnceFunc(func() { counted() })
	defer func() { x.over() }() // it may be dropped without an answer

	if refused, ok := s.authorise(x); !ok {
		x.write(refused)
		return
	}
	held := x.customer
	if why := s.limits.admit(s.now(), held, x.knobs); why != admitted {
		s.meter.refused(why)
		x.write(limitError(s.now(), why, x.knobs))
		return
	}
	counted = func() {
		s.limits.leave(held, s.leakUntil(x))
		s.meter.end(caller)
	}

	s.respond(x, func(x *exchange) answer {
		if slices.Contains(x.knobs.MissingScopes, scope) {
			return apiError(s.now(), http.StatusForbidden, textScope)
		}
		return resource(x)
	})
}

// leakUntil is when a slot comes free that the platform forgot to release after a gateway timeout.
func (s *Sim) leakUntil(x *exchange) time.Time {
	if x.status != http.StatusGatewayTimeout || x.knobs.LeakedSlot == 0 {
		return time.Time{}
	}
	return s.now().Add(time.Duration(x.knobs.LeakedSlot))
}

func (s *Sim) authorise(x *exchange) (answer, bool) {
	now := s.now()
	token, bearer := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer ")
	if !bearer || !s.tokens.valid(token, now) {
		return apiError(now, http.StatusUnauthorized, textCredentials), false
	}
	if x.knobs.Unlisted {
		return apiError(now, http.StatusUnauthorized, textUnlisted), false
	}
	if v := x.r.Header.Get("api-version"); v != apiVersion && v != "latest" {
		return apiError(now, http.StatusBadRequest, textVersion), false
	}
	if x.customer == "" {
		return apiError(now, x.knobs.MissingCustomer, "The request could not be fulfilled because it has no 'reapit-customer' header"), false
	}
	if x.knobs.LegacyAuthorizer {
		x.customer = s.tokens.customerOf(token, x.customer, now)
	}
	if !slices.Contains(s.options.Customers, x.customer) || slices.Contains(x.knobs.NotInstalled, x.customer) {
		return apiError(now, http.StatusUnauthorized, textNotInstalled), false
	}
	return answer{}, true
}
