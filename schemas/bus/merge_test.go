package bus_test

import (
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

// What the server tells of the merge is the position of the log's newest call
// event, which snapshots behind it do not move.
func TestMergeIsToldByPosition(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(2)
	publish := func(subject string, times int) {
		t.Helper()
		for range times {
			if _, err := js.Publish(t.Context(), subject, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
	}
	prefix := topology.CallLogPrefix(1) + ".ev."
	newest := func(behind, want, end uint64) {
		t.Helper()
		got, last, err := bus.Newest(t.Context(), js, topology.CallLog(1), prefix, behind)
		if err != nil || got != want || last != end {
			t.Errorf("behind %d: newest %d of %d (%v), want %d of %d", behind, got, last, err, want, end)
		}
	}
	newest(0, 0, 0)
	publish(prefix+"o.incoming.c", 3)
	publish(topology.CallLogPrefix(1)+".snap", 2)
	newest(0, 3, 5)
	newest(2, 3, 5)
	newest(3, 0, 5)
	publish(topology.CallLogPrefix(1)+".snap", 20)
	newest(0, 0, 25) // too far from the end

	var m bus.Merge
	bustest.Eventually(t, "the merge", func() bool {
		var err error
		if m, err = bus.LookUpMerge(t.Context(), js, topology.Calls); err != nil {
			t.Fatal(err)
		}
		return m.Sources[topology.CallLog(1)].Seq == 3
	})
	if m.Replicas != 1 || m.Standby != 0 || !m.Told || len(m.Sources) != 2 || m.Sources[topology.CallLog(0)].Seq != 0 {
		t.Errorf("%+v", m)
	}
	if silent := m.Sources[topology.CallLog(0)].Silent; silent < 0 || silent > 10*time.Second {
		t.Errorf("silent for %v", silent)
	}
	if err := bus.StepDown(t.Context(), js, topology.Calls); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("a server alone: %v", err)
	}
	if _, err := bus.LookUpMerge(t.Context(), js, "ABSENT"); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("no such stream: %v", err)
	}
}
