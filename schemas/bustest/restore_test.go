package bustest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

// What was restored is read as it was stated, and the stream goes on behind it.
func TestRestore(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(4)
	office := bustest.NewOffice(1, 10, 4)
	var want []bus.Message
	for n := range 100 {
		m := office.Next(time.Now().Add(time.Duration(n-200)*time.Minute).UTC(), 5)
		m.Seq = uint64(2*n + 1) // every other was deleted
		want = append(want, m)
	}
	s.Restore(js, topology.RTE, slices.Values(want))

	if err := bus.Verify(t.Context(), js, s.Config(4).Layout()); err != nil {
		t.Error(err)
	}
	got := bustest.Messages(t, js, topology.RTE)
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i, m := range got {
		w := want[i]
		if m.Seq != w.Seq || !m.Stored.Equal(w.Stored) || m.Subject != w.Subject || string(m.Data) != string(w.Data) || m.Header.Get("ce-id") != w.Header.Get("ce-id") || len(m.Header) != len(w.Header) {
			t.Fatalf("message %d is\n%+v\nwant\n%+v", i, m, w)
		}
	}
	next := office.Next(time.Now(), 5)
	ack, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: next.Subject, Header: next.Header, Data: next.Data})
	if err != nil || ack.Sequence != want[len(want)-1].Seq+1 {
		t.Errorf("the next message: %+v, %v", ack, err)
	}
}
