package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// redriveBatch is how many dead letters one request names at most.
const redriveBatch = 100

// redriveRequest asks the deliver that has the lease to try dead letters again.
type redriveRequest struct {
	Dry     bool          `json:"dry,omitempty"` // only tell
	Letters []redriveItem `json:"letters"`
}

// redriveItem is one of them. Which redrive it is makes a request that is sent
// twice one.
type redriveItem struct {
	Number  uint64 `json:"number"`
	Redrive int    `json:"redrive"`
}

// redriveAnswer tells, for each, why it was not taken on; empty: it is stored.
type redriveAnswer struct {
	Trouble string   `json:"trouble,omitempty"` // why nothing was
	Refused []string `json:"refused,omitempty"`
}

// ask is a request on its way to the one goroutine that may decide.
type ask struct {
	deliveries []schedule.Delivery
	dry        bool
	answer     chan []string // closed: the term ended, or has not begun
}

var (
	errBusy    = errors.New("deliver is about to begin or to end a term; try again")
	errRequest = errors.New("the request is not readable")
)

// redrives answers requests until the term ends.
func (t *term) redrives() {
	sub, err := t.js.Conn().QueueSubscribeSync(topology.Redrive, name)
	if err != nil {
		t.log.Warn("redrives cannot be asked for", "error", err)
		return
	}
	defer func() { _ = sub.Unsubscribe() }()
	for t.ctx.Err() == nil {
		m, err := sub.NextMsgWithContext(t.ctx)
		if err != nil {
			pause(t.ctx, restart)
			continue
		}
		t.reply(m)
	}
}

func (t *term) reply(m *nats.Msg) {
	ctx, cancel := context.WithTimeout(t.ctx, redrivePatience)
	defer cancel()
	var a redriveAnswer
	var err error
	if a.Refused, err = t.redrive(ctx, m.Data); err != nil {
		a = redriveAnswer{Trouble: bus.Offline(err).Error()}
	}
	data, err := json.Marshal(a)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		t.log.Warn("redrive not answered", "error", bus.Offline(err))
	}
}

// redrivePatience is how long one request may take.
const redrivePatience = 10 * time.Second

func (t *term) redrive(ctx context.Context, data []byte) ([]string, error) {
	var r redriveRequest
	if err := json.Unmarshal(data, &r); err != nil || len(r.Letters) > redriveBatch {
		return nil, errRequest
	}
	refused := make([]string, len(r.Letters))
	a := ask{dry: r.Dry, answer: make(chan []string, 1)}
	var places []int
	found, err := t.find(ctx, r.Letters, refused)
	if err != nil {
		return nil, err
	}
	for i, d := range found {
		if refused[i] == "" {
			a.deliveries, places = append(a.deliveries, d), append(places, i)
		}
	}
	select {
	case t.asks <- a:
	case <-ctx.Done():
		return nil, errBusy
	}
	select {
	case answers, ok := <-a.answer:
		if !ok {
			return nil, errBusy
		}
		for i, place := range places {
			refused[place] = answers[i]
		}
		return refused, nil
	case <-t.ctx.Done():
		return nil, errBusy
	}
}

// find makes deliveries of dead letters again, or says why not.
func (t *term) find(ctx context.Context, items []redriveItem, refused []string) ([]schedule.Delivery, error) {
	dead, err := t.js.Stream(ctx, topology.DeadLetters)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", topology.DeadLetters, err)
	}
	calls, err := t.js.Stream(ctx, topology.Calls)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", topology.Calls, err)
	}
	all := make([]letter, len(items))
	for i, item := range items {
		m, err := dead.GetMsg(ctx, item.Number)
		if err != nil {
			return nil, fmt.Errorf("read dead letter %d: %w", item.Number, err)
		}
		if all[i], err = readLetter(item.Number, m.Header, m.Data); err != nil {
			return nil, err
		}
	}
	known, err := histories(ctx, t.js, all)
	if err != nil {
		return nil, err
	}
	found := make([]schedule.Delivery, len(items))
	for i, l := range all {
		h := known[l.pair()]
		if refused[i] = l.settled(h); refused[i] == "" && items[i].Redrive != h.redrives+1 {
			refused[i] = "it was tried again since"
		}
		if refused[i] != "" {
			continue
		}
		found[i], refused[i] = t.revive(l, h, items[i].Redrive)
		later, err := laterEvent(ctx, calls, found[i].Call)
		if err != nil {
			return nil, err
		}
		if later && refused[i] == "" {
			refused[i] = "a later event of the call came since"
		}
	}
	return found, nil
}

// revive makes the delivery that died: the same event, negotiator and users.
func (t *term) revive(l letter, h history, redrive int) (schedule.Delivery, string) {
	d := schedule.Delivery{
		Received: h.last.ReceivedAt, Traceparent: l.traceparent, Customer: l.Customer, Negotiator: l.NegotiatorID,
		Users: h.last.Users, Redrive: redrive,
	}
	if err := json.Unmarshal(l.Event, &d.Call); err != nil || d.Call.EventID() != l.EventID || !schedule.Wanted(d.Call) {
		return d, "it does not hold its event"
	}
	organization := t.directory.Organization(d.Call.OrganizationID)
	if !organization.Served || organization.Customer != l.Customer {
		return d, "deliver does not serve its customer " + l.Customer
	}
	d.Region = organization.Region
	if who := d.Call.AnsweredBy; who != nil {
		d.AnsweredBy, _, _ = organization.Negotiator(*who)
	}
	return d, ""
}

// takeOn decides, and stores what it takes on before anybody hears of it or
// anything of it is sent: a redrive outlives this process.
func (t *term) takeOn(a ask) {
	if !t.caught {
		close(a.answer) // what comes later in a call may forbid it
		return
	}
	answers, taken := make([]string, len(a.deliveries)), false
	for i, d := range a.deliveries {
		answers[i] = t.memory.Redrive(d, t.now(), a.dry)
		taken = taken || answers[i] == "" && !a.dry
	}
	if taken {
		t.snapshot(false)
		t.journal.flush(t.ctx)
	}
	if t.ctx.Err() != nil {
		close(a.answer)
		return
	}
	a.answer <- answers
}
