package replay

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

// search looks for the calls of one user within a span of time.
type search struct {
	gatherer
	at          time.Time // around which
	from, until time.Time
	user        event.User // as far as is known
	negotiator  string
	calls       []string // in the order of RTE
	events      int
	state       string // newest availability
	feed        []bus.Message
}

// wanted reads who is meant: an e-mail address, the id of a user, or the id of
// a negotiator.
func (s *search) wanted(who string) {
	who = strings.TrimSpace(who)
	switch {
	case strings.Contains(who, "@"):
		s.user.UserName = who
	case topology.KeyToken(who) == strings.ToLower(who):
		s.user.UserID = strings.ToLower(who)
	default:
		s.negotiator = who
	}
}

// is reports whether a user is the one, and learns what was not known.
func (s *search) is(u event.User) bool {
	same := u.UserID != "" && strings.EqualFold(u.UserID, s.user.UserID) ||
		s.user.UserID == "" && s.user.UserName != "" && strings.EqualFold(u.UserName, s.user.UserName)
	if same {
		s.user = event.User{UserID: or(s.user.UserID, u.UserID), UserName: or(u.UserName, s.user.UserName)}
	}
	return same
}

func (s *search) add(id string) {
	if id = strings.ToLower(id); id != "" && !slices.Contains(s.calls, id) {
		s.calls = append(s.calls, id)
	}
}

// Coverage events this much later still tell of the span.
const afterwards = 5 * time.Second

// run finds the calls. It reads what was stored in the span and no more.
func (s *search) run(ctx context.Context) error {
	if s.negotiator != "" {
		if err := s.resolve(ctx); err != nil {
			return err
		}
	}
	err := between(ctx, s.js, topology.Calls, s.from, s.until, func(m bus.Message) error {
		if c, ok := decodeStored(m); ok && slices.ContainsFunc(c.Call.Audience, s.is) {
			s.add(c.Call.CallID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return between(ctx, s.js, topology.RTE, s.from, s.until.Add(afterwards), func(m bus.Message) error {
		s.take(m)
		return nil
	})
}

// resolve finds out which user a negotiator is, by the newest outcome.
func (s *search) resolve(ctx context.Context) error {
	token := strings.Split(topology.Delivery("", s.negotiator, "", ""), ".")[2]
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverLastPolicy, FilterSubject: "deliveries.*." + token + ".*.*"}
	return fetch(ctx, s.js, topology.Deliveries, cfg, func(m bus.Message) error {
		if o, ok := decodeOutcome(m); ok && len(o.Users) > 0 {
			s.user = o.Users[0]
		}
		return nil
	})
}

// take looks at a message of RTE.
func (s *search) take(m bus.Message) {
	if strings.HasPrefix(m.Subject, "feed.") {
		s.feed = append(s.feed, m)
		return
	}
	if m.Stored.After(s.until) || !s.mentions(m.Data) {
		return
	}
	in, err := fold.Decode(m)
	if err != nil || in.Raw == nil || !s.is(event.User{UserID: call.Participant(*in.Raw), UserName: in.Raw.UserName}) {
		return
	}
	s.events++
	if call.Concerns(*in.Raw) {
		s.add(in.Raw.CallID)
	}
	if now := availability(m); now != "" {
		s.state = now
	}
}

// mentions is quick: most messages are of others.
func (s *search) mentions(body []byte) bool {
	low := bytes.ToLower(body)
	return s.user.UserID != "" && bytes.Contains(low, []byte(strings.ToLower(s.user.UserID))) ||
		s.user.UserName != "" && bytes.Contains(low, []byte(strings.ToLower(s.user.UserName)))
}

// absence finds out why there is no call. Of who listened to whom since when
// only the whole history of the subscriptions tells.
func (s *search) absence(ctx context.Context, who string) (Absence, error) {
	a := Absence{Who: who, User: s.user, From: s.from, Until: s.until, Events: s.events, Availability: s.state}
	if s.user.UserID == "" {
		return a, nil
	}
	all, err := s.history(ctx, s.from)
	if err != nil {
		return a, err
	}
	a.Listening = weigh(append(all, s.feed...), s.user.UserID, coverage.Window{From: s.from, Until: s.until, Now: s.now})
	a.At = s.at
	return a, nil
}
