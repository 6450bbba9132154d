package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/bundle"
	"ringstream/transform/internal/replay/stream"
)

// surveyed is one call of RTE: where it is, and what the fold tells of it.
type surveyed struct {
	first, last uint64
	told        []Told
	chosen      bool
}

// survey is which messages of RTE make up what is to be exported.
type survey struct {
	sel         Selection
	first, last uint64               // of RTE, between which every coverage event counts
	chosen      map[string]*surveyed // calls
	keys        map[string]bool      // of their subjects
	moments     map[uint64]bool      // at which the fold told something of them
}

func (c *command) survey(ctx context.Context, rte tape, sel Selection) (survey, error) {
	v := survey{sel: sel, keys: map[string]bool{}, moments: map[uint64]bool{}}
	all := map[string]*surveyed{}
	refold := NewRefold(rte.rte.Partitions, rte.limits)
	bar := progress{w: c.bar, what: "folding"}
	err := rte.read(ctx, func(m bus.Message) error {
		in, told := refold.Take(m)
		if in.Raw != nil && in.Raw.CallID != "" {
			v.note(all, in.Raw.CallID, m)
		} else if v.beside(m) {
			v.stretch(m.Seq, m.Seq)
		}
		for _, t := range told {
			s := v.note(all, t.Call.CallID, m)
			s.told = append(s.told, t)
		}
		bar.at(rte.rte, m.Seq)
		return nil
	})
	bar.done()
	maps.DeleteFunc(all, func(_ string, s *surveyed) bool { return !s.chosen })
	v.chosen = all
	for id, s := range all {
		v.stretch(s.first, s.last)
		v.keys[topology.KeyToken(id)] = true
		for _, t := range s.told {
			v.moments[t.At.In] = true
		}
	}
	if err == nil && v.last == 0 {
		err = fmt.Errorf("%w: RTE holds no event %s", stream.ErrNothing, cmp.Or(sel.String(), "of that span"))
	}
	return v, err
}

// note takes a message as one of a call.
func (v *survey) note(all map[string]*surveyed, callID string, m bus.Message) *surveyed {
	s := all[callID]
	if s == nil {
		s = &surveyed{first: m.Seq}
		all[callID] = s
	}
	s.last = m.Seq
	s.chosen = s.chosen || v.sel.Call == callID || v.sel.Call == "" && v.within(m)
	return s
}

func (v *survey) within(m bus.Message) bool {
	return !m.Stored.Before(v.sel.Since) && !v.sel.Past(m.Stored)
}

// beside reports whether a message of no call is to be exported too.
func (v *survey) beside(m bus.Message) bool { return v.sel.Call == "" && v.within(m) }

func (v *survey) stretch(first, last uint64) {
	if v.first == 0 || first < v.first {
		v.first = first
	}
	v.last = max(v.last, last)
}

// exporter writes what the survey chose.
type exporter struct {
	survey
	out     *bundle.Writer
	alias   *bundle.Pseudonyms
	real    bool
	bar     progress
	before  []bus.Message          // coverage events from before the first call that tell what is subscribed
	beats   map[string]bus.Message // and each replica's last word
	leftOut int                    // messages that no writer of ours wrote
}

// raw takes every message of RTE. What only carried the clock on when the fold
// told something is put there without what it said.
func (x *exporter) raw(m bus.Message) error {
	if m.Seq > x.last {
		return stream.ErrEnd
	}
	if strings.HasPrefix(m.Subject, "feed.") {
		return x.feed(m)
	}
	if m.Seq >= x.first {
		if err := x.lead(); err != nil {
			return err
		}
	}
	in, _ := fold.Decode(m)
	callID := ""
	if in.Raw != nil {
		callID = in.Raw.CallID
	}
	switch {
	case callID != "" && x.chosen[callID] != nil, callID == "" && x.beside(m):
		return x.write(topology.RTE, m)
	case x.moments[m.Seq]:
		return x.out.Write(bundle.RecordOf(topology.RTE, tick(m, in.Recorded)))
	}
	return nil
}

// tick is a message that says only when it was stored, and heard of.
func tick(m bus.Message, recorded time.Time) bus.Message {
	if recorded.IsZero() {
		recorded = m.Stored
	}
	id := fmt.Sprintf("clock-%d", m.Seq)
	r := event.Raw{ID: id, EventType: "Clock"}
	m.Subject = topology.Raw(bundle.PartitionIn(m.Subject), "", r.EventType, topology.KeyToken(""))
	m.Header = event.EncodeRaw(r, "ringstream.example", topology.KeyToken(""), recorded, "")
	m.Data = fmt.Appendf(nil, `{"data":{"id":%q,"eventType":%q}}`, id, r.EventType)
	return m
}

// feed writes the coverage events of the span, and keeps of those before what
// tells who listens to whom.
func (x *exporter) feed(m bus.Message) error {
	if m.Seq >= x.first {
		return errors.Join(x.lead(), x.write(topology.RTE, m))
	}
	if !strings.HasSuffix(m.Subject, "."+string(event.Heartbeat)) {
		x.before = append(x.before, m)
		return nil
	}
	if x.beats == nil {
		x.beats = map[string]bus.Message{}
	}
	x.beats[m.Subject] = m
	return nil
}

// lead writes those before.
func (x *exporter) lead() error {
	all := slices.AppendSeq(x.before, maps.Values(x.beats))
	x.before, x.beats = nil, nil
	slices.SortFunc(all, func(a, b bus.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, m := range all {
		if err := x.write(topology.RTE, m); err != nil {
			return err
		}
	}
	return nil
}

// write gives a message its aliases. One that cannot be read, and is not RTE's,
// is none of ours.
func (x *exporter) write(stream string, m bus.Message) error {
	if !x.real {
		alias, err := x.alias.Message(stream, m)
		if err != nil && stream != topology.RTE {
			x.leftOut++
			return nil
		}
		if err != nil {
			return err
		}
		m = alias
	}
	return x.out.Write(bundle.RecordOf(stream, m))
}

// others writes what the other streams have of the calls.
func (x *exporter) others(ctx context.Context, js jetstream.JetStream) error {
	for _, name := range bundled[1:] {
		s, err := stream.Look(ctx, js, name)
		if errors.Is(err, bus.ErrMissing) {
			continue // nobody has delivered anything
		}
		if err != nil {
			return err
		}
		err = stream.Read(ctx, js, s, s.First, func(m bus.Message) error {
			x.bar.at(s, m.Seq)
			if !x.wants(name, m) {
				return nil
			}
			return x.write(name, m)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) wants(stream string, m bus.Message) bool {
	if stream != topology.DeadLetters {
		return !strings.HasPrefix(m.Subject, topology.DeliveryLogPrefix+".") && x.keys[m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]]
	}
	var d event.DeadLetter
	if _, err := bundle.Decoded(m, &d); err != nil {
		return x.beside(m)
	}
	return d.CallID != "" && x.keys[topology.KeyToken(d.CallID)] || d.CallID == "" && x.beside(m)
}

// told is what the fold of all of RTE told of the calls, under their aliases.
func (x *exporter) told() map[string]string {
	all := map[string]string{}
	for _, s := range x.chosen {
		for _, t := range s.told {
			id := t.Call.EventID()
			if !x.real {
				id = x.alias.EventID(id)
			}
			all[id] = outline(t)
		}
	}
	return all
}

// outline is a call event without what an alias changes.
func outline(t Told) string {
	e := t.Call
	return fmt.Sprint(t.At.In, t.Partition, e.Type, e.Direction, e.OccurredAt, e.RecordedAt, e.CallerWithheld, e.HuntGroup, len(e.Audience),
		e.AnsweredBy != nil, e.Sequence, e.Inferred, e.Coverage, e.Cause.Reason != nil)
}
