// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// spoken are the call events of each call in the order of the logs.
type spoken map[string][]utterance

// utterance is one call event: which, and a digest of all that it says.
type utterance struct {
	id   string
	says [sha256.Size]byte
}

// divergence is in what logs differ from those of an undisturbed process.
type divergence struct{ lost, added, changed, doubled, reordered int }

// spoke reads the logs.
func (f *folder) spoke() spoken {
	f.t.Helper()
	all := spoken{}
	f.each(func(m bus.Message) {
		attributes := map[string][]string{}
		for name, value := range m.Header {
			if strings.HasPrefix(name, "ce-") {
				attributes[name] = value
			}
		}
		says, err := json.Marshal([]any{attributes, m.Data})
		if err != nil {
			f.t.Fatal(err)
		}
		call := m.Subject[strings.LastIndex(m.Subject, ".")+1:]
		all[call] = append(all[call], utterance{m.Header.Get("ce-id"), sha256.Sum256(says)})
	})
	return all
}

// against counts the differences from what should be there.
func (s spoken) against(want spoken) (d divergence) {
	for call := range s {
		if _, known := want[call]; !known {
			d.added += len(s[call])
		}
	}
	for call, should := range want {
		d.call(s[call], should)
	}
	return d
}

func (d *divergence) call(got, want []utterance) {
	place, times, says, newest := map[string]int{}, map[string]int{}, map[string]bool{}, -1
	for i, u := range want {
		place[u.id] = i
	}
	for _, u := range got {
		at, known := place[u.id]
		times[u.id]++
		switch {
		case !known:
			d.added++
			continue
		case times[u.id] > 1:
			d.doubled++
		case at < newest:
			d.reordered++
		default:
			newest = at
		}
		says[u.id] = says[u.id] || u.says == want[at].says
	}
	for _, u := range want {
		switch {
		case times[u.id] == 0:
			d.lost++
		case !says[u.id]:
			d.changed++
		}
	}
}

func TestDivergenceIsCounted(t *testing.T) {
	said := func(words ...string) (all []utterance) {
		for _, w := range words {
			id, _, _ := strings.Cut(w, ":")
			all = append(all, utterance{id, sha256.Sum256([]byte(w))})
		}
		return all
	}
	want := spoken{"a": said("a/1:incoming", "a/2:answered", "a/3:ended"), "b": said("b/1:incoming")}
	for name, c := range map[string]struct {
		got  spoken
		want divergence
	}{
		"the same":  {want, divergence{}},
		"lost":      {spoken{"a": said("a/1:incoming", "a/3:ended")}, divergence{lost: 2}},
		"doubled":   {spoken{"a": said("a/1:incoming", "a/2:answered", "a/1:incoming", "a/3:ended"), "b": want["b"]}, divergence{doubled: 1}},
		"reordered": {spoken{"a": said("a/2:answered", "a/1:incoming", "a/3:ended"), "b": want["b"]}, divergence{reordered: 1}},
		"changed":   {spoken{"a": said("a/1:incoming", "a/2:missed", "a/3:ended"), "b": want["b"]}, divergence{changed: 1}},
		"added":     {spoken{"a": said("a/1:incoming", "a/2:answered", "a/3:ended", "a/4:ended"), "b": want["b"], "c": said("c/1:incoming")}, divergence{added: 2}},
	} {
		if got := c.got.against(want); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// killed lets a process read RTE from its beginning and kills it with kill -9 when,
// since it was started, it has appended an even share of what was left, or when
// nothing more is appended; and returns what the logs hold in the end.
func (f *folder) killed(times int, start func() *program) spoken {
	f.t.Helper()
	f.clear()
	p := start()
	whole := int(f.share * float64(*foldEvents))
	for n := range times {
		settled, begun := f.settled(), f.appended()
		enough := begun + max(whole-begun, 0)/(times-n+1) + 1
		f.eventually(2*time.Minute, fmt.Sprintf("%d kills", n+1), func() bool { return f.appended() >= enough || settled() })
		p.kill()
		p.start()
	}
	f.eventually(10*time.Minute, "the end", f.settled())
	if p.url == "" {
		p.kill()
	} else {
		p.stop()
	}
	return f.spoke()
}

// settled reports whether everybody has read RTE and nothing more is appended, for
// longer than a lease is held and a message waits to come again.
func (f *folder) settled() func() bool {
	last, since := -1, time.Now()
	return func() bool {
		if n := f.appended(); n != last || f.owed() > 0 {
			last, since = n, time.Now()
		}
		return time.Since(since) > 5*time.Second
	}
}

// owed is how many messages the durable consumers of RTE have not acknowledged.
func (f *folder) owed() (n int) {
	f.t.Helper()
	f.durable(func(c *jetstream.ConsumerInfo) { n += c.NumAckPending + int(c.NumPending) })
	return n
}

// durable hands over the durable consumers of RTE.
func (f *folder) durable(take func(*jetstream.ConsumerInfo)) {
	f.t.Helper()
	rte, err := f.js.Stream(f.t.Context(), topology.RTE)
	if err != nil {
		f.t.Fatal(err)
	}
	list := rte.ListConsumers(f.t.Context())
	for c := range list.Info() {
		if c.Config.Durable != "" {
			take(c)
		}
	}
	if err := list.Err(); err != nil {
		f.t.Fatal(err)
	}
}
