package explain

import (
	"bytes"
	"cmp"
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
	"ringstream/transform/internal/replay/stream"
)

// Search looks for the calls of one user within a span of time.
type Search struct {
	Gatherer
	At          time.Time // around which
	From, Until time.Time
	User        event.User // as far as is known
	negotiator  string
	Calls       []string // in the order of RTE
	events      int
	state       string // newest availability
	feed        []bus.Message
}

// Wanted reads who is meant: an e-mail address, the id of a user, or the id of
// a negotiator.
func (s *Search) Wanted(who string) {
	who = strings.TrimSpace(who)
	switch {
	case strings.Contains(who, "@"):
		s.User.UserName = who
	case topology.KeyToken(who) == strings.ToLower(who):
		s.User.UserID = strings.ToLower(who)
	default:
		s.negotiator = who
	}
}

// is reports whether a user is the one, and learns what was not known.
func (s *Search) is(u event.User) bool {
	same := u.UserID != "" && strings.EqualFold(u.UserID, s.User.UserID) ||
		s.User.UserID == "" && s.User.UserName != "" && strings.EqualFold(u.UserName, s.User.UserName)
	if same {
		s.User = event.User{UserID: cmp.Or(s.User.UserID, u.UserID), UserName: cmp.Or(u.UserName, s.User.UserName)}
	}
	return same
}

func (s *Search) add(id string) {
	if id = strings.ToLower(id); id != "" && !slices.Contains(s.Calls, id) {
		s.Calls = append(s.Calls, id)
	}
}

// Coverage events this much later still tell of the span.
const afterwards = 5 * time.Second

// Run finds the calls. It reads what was stored in the span and no more.
func (s *Search) Run(ctx context.Context) error {
	if err := s.Resolve(ctx); err != nil {
		return err
	}
	err := stream.Between(ctx, s.JS, topology.Calls, s.From, s.Until, func(m bus.Message) error {
		if c, ok := DecodeStored(m); ok && slices.ContainsFunc(c.Call.Audience, s.is) {
			s.add(c.Call.CallID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return stream.Between(ctx, s.JS, topology.RTE, s.From, s.Until.Add(afterwards), func(m bus.Message) error {
		s.take(m)
		return nil
	})
}

// Resolve finds out which user a negotiator is, by the newest outcome. The
// negotiators themselves are known to deliver only.
func (s *Search) Resolve(ctx context.Context) error {
	if s.negotiator == "" {
		return nil
	}
	token := strings.Split(topology.Delivery("", s.negotiator, "", ""), ".")[2]
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverLastPolicy, FilterSubject: "deliveries.*." + token + ".*.*"}
	return stream.Fetch(ctx, s.JS, topology.Deliveries, cfg, func(m bus.Message) error {
		if o, ok := DecodeOutcome(m); ok && len(o.Users) > 0 {
			s.User = o.Users[0]
		}
		return nil
	})
}

// Unknown reports whether a negotiator was meant of whom nothing tells which user it is.
func (s *Search) Unknown() bool { return s.negotiator != "" && s.User == event.User{} }

// take looks at a message of RTE.
func (s *Search) take(m bus.Message) {
	if strings.HasPrefix(m.Subject, "feed.") {
		s.feed = append(s.feed, m)
		return
	}
	if m.Stored.After(s.Until) || !s.mentions(m.Data) {
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

// mentions is quick: most messages are of others. An escape may stand for any
// character of a name.
func (s *Search) mentions(body []byte) bool {
	if bytes.Contains(body, []byte(`\u`)) {
		return true
	}
	low := bytes.ToLower(body)
	return s.User.UserID != "" && bytes.Contains(low, []byte(strings.ToLower(s.User.UserID))) ||
		s.User.UserName != "" && bytes.Contains(low, []byte(strings.ToLower(s.User.UserName)))
}

// Absence finds out why there is no call. Of who listened to whom since when
// only the whole history of the subscriptions tells.
func (s *Search) Absence(ctx context.Context, who string) (Absence, error) {
	a := Absence{Who: who, Negotiator: s.negotiator, User: s.User, From: s.From, Until: s.Until, Events: s.events, Availability: s.state}
	if s.User.UserID == "" {
		return a, nil
	}
	all, err := s.History(ctx, s.From)
	if err != nil {
		return a, err
	}
	a.Listening = weigh(append(all, s.feed...), s.User.UserID, coverage.Window{From: s.From, Until: s.Until, Now: s.Now})
	a.At = s.At
	return a, nil
}
