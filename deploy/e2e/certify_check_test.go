package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// The checker of what transform wrote. It knows streams, ids and bytes, and
// nothing of calls: what ought to stand there it is given.

// callEvent is one, as it ought to be or as a stream holds it.
type callEvent struct {
	id        string // <callId>/<n>
	partition int
	body      []byte
}

// finding is one thing that is not as it ought to be.
type finding struct{ where, kind, id, note string }

// String is one line.
func (f finding) String() string { return f.where + ": " + f.id + " " + f.kind + " " + f.note }

// The kinds of a finding.
const (
	missingEvent = "missing"
	extraEvent   = "extra"
	doubledEvent = "doubled"
	misplaced    = "out of order"
	changedEvent = "changed"
	misnumbered  = "misnumbered"
	mislabelled  = "mislabelled"
)

// referenceOf reads what replay prints of the reference fold: one body a line.
func referenceOf(lines []byte, partitions int) (all []callEvent, err error) {
	for line := range bytes.Lines(lines) {
		body := bytes.TrimSuffix(line, []byte("\n"))
		call, n, err := numberOf(body)
		if err != nil {
			return nil, err
		}
		all = append(all, callEvent{id: call + "/" + strconv.Itoa(n), partition: topology.Partition(topology.KeyToken(call), partitions), body: body})
	}
	return all, nil
}

func numberOf(body []byte) (call string, n int, err error) {
	var data struct {
		CallID   string `json:"callId"`
		Sequence int    `json:"sequence"`
	}
	if err := json.Unmarshal(body, &data); err != nil {
		return "", 0, fmt.Errorf("%w in %.200s", err, body)
	}
	return data.CallID, data.Sequence, nil
}

// heldBy takes the call events that a stream holds, and finds those whose label
// is not that of their content.
func heldBy(where string, messages []bus.Message, partitions int) (all []callEvent, found []finding) {
	for _, m := range messages {
		h := callEvent{id: m.Header.Get("ce-id"), body: m.Data}
		call, n, err := numberOf(m.Data)
		label := func(what, got, want string) {
			if got != want {
				found = append(found, finding{where, mislabelled, h.id, fmt.Sprintf("at %d: %s is %s, want %s", m.Seq, what, got, want)})
			}
		}
		if err != nil {
			label("body", err.Error(), "readable")
		}
		key := topology.KeyToken(call)
		h.partition = topology.Partition(key, partitions)
		label("id", h.id, call+"/"+strconv.Itoa(n))
		label("ce-sequence", m.Header.Get("ce-sequence"), strconv.Itoa(n))
		label("last token", m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], key)
		if rest, is := strings.CutPrefix(m.Subject, "calllog."); is {
			partition, _, _ := strings.Cut(rest, ".")
			label("partition", partition, strconv.Itoa(h.partition))
		}
		all = append(all, h)
	}
	return all, found
}

// differences compares, partition by partition, what a stream holds with what
// it ought to hold, message by message.
func differences(where string, want, have []callEvent) (found []finding) {
	rank, bodies := map[string]int{}, map[string][]byte{}
	add := func(kind, id, note string, args ...any) {
		found = append(found, finding{where, kind, id, fmt.Sprintf(note, args...)})
	}
	for i, w := range want {
		if _, is := rank[w.id]; is {
			add(doubledEvent, w.id, "in the reference itself")
		}
		rank[w.id], bodies[w.id] = i, w.body
	}
	seen := map[string]bool{}
	furthest := map[int]int{}
	for i, h := range have {
		at, is := rank[h.id]
		switch {
		case !is:
			add(extraEvent, h.id, "as message %d of its kind", i+1)
			continue
		case seen[h.id]:
			add(doubledEvent, h.id, "as message %d of its kind", i+1)
			continue
		case at+1 < furthest[h.partition]:
			add(misplaced, h.id, "behind %s", want[furthest[h.partition]-1].id)
		case h.partition != want[at].partition:
			add(misplaced, h.id, "in partition %d", h.partition)
		}
		seen[h.id] = true
		furthest[h.partition] = max(furthest[h.partition], at+1)
		if !bytes.Equal(bodies[h.id], h.body) {
			add(changedEvent, h.id, "\n\twant %s\n\thave %s", bodies[h.id], h.body)
		}
	}
	for _, w := range want {
		if !seen[w.id] {
			add(missingEvent, w.id, "%.200s", w.body)
		}
	}
	return found
}

// miscounted finds calls whose events are not numbered 1, 2, 3 … in the order in
// which they stand. It needs no reference.
func miscounted(where string, have []callEvent) (found []finding) {
	last := map[string]int{}
	for _, h := range have {
		slash := strings.LastIndexByte(h.id, '/')
		n, err := strconv.Atoi(h.id[slash+1:])
		if call := h.id[:max(slash, 0)]; err != nil || n != last[call]+1 {
			found = append(found, finding{where, misnumbered, h.id, fmt.Sprintf("behind number %d", last[call])})
		} else {
			last[call] = n
		}
	}
	return found
}

// positions finds messages of a log whose inputs do not follow each other.
func positions(where string, messages []bus.Message) (found []finding) {
	var lastIn, lastIdx uint64
	for _, m := range messages {
		in, errIn := strconv.ParseUint(m.Header.Get(bus.HeaderIn), 10, 64)
		idx, errIdx := strconv.ParseUint(m.Header.Get(bus.HeaderIdx), 10, 64)
		if errIn != nil || errIdx != nil || cmp.Or(cmp.Compare(in, lastIn), cmp.Compare(idx, lastIdx)) <= 0 && lastIn > 0 {
			found = append(found, finding{where, misplaced, m.Header.Get("ce-id"), fmt.Sprintf("at %d: comes of input %d/%d, the one before of %d/%d", m.Seq, in, idx, lastIn, lastIdx)})
		}
		lastIn, lastIdx = in, idx
	}
	return found
}

// kindsOf counts findings.
func kindsOf(found []finding) map[string]int {
	kinds := map[string]int{}
	for _, f := range found {
		kinds[f.kind]++
	}
	return kinds
}

// onlyOf picks a partition.
func onlyOf(partition int, all []callEvent) []callEvent {
	return slices.DeleteFunc(slices.Clone(all), func(e callEvent) bool { return e.partition != partition })
}
