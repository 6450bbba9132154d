package rtesim_test

import (
	"net/http"
	"testing"

	"ringstream/ingest/internal/rtesim"
)

func TestBookOfWhoIsSubscribed(t *testing.T) {
	sim := start(t)
	one, two := dial(t, sim), dial(t, sim)
	one.subscribe(item(jane, "UserStatus"), item(tom, "UserStatus"), item("nobody", "UserStatus"))
	two.subscribe(item(jane, "UserStatus"))
	one.invoke("UnsubscribeAll")
	ids := sim.Connections()
	if _, err := sim.Drop(rtesim.DropSilent, ids[1].ID, ""); err != nil {
		t.Fatal(err)
	}
	want := []rtesim.Attendance{
		{Connection: ids[0].ID, What: rtesim.Subscribed, Items: 2},
		{Connection: ids[1].ID, What: rtesim.Subscribed, Items: 1},
		{Connection: ids[0].ID, What: rtesim.Subscribed},
		{Connection: ids[1].ID, What: rtesim.Ended},
	}
	var got []rtesim.Attendance
	eventually(t, "the end in the book", func() bool {
		got = control[[]rtesim.Attendance](t, sim, http.MethodGet, "attendances", nil)
		return len(got) == len(want)
	})
	for i := range want {
		if want[i].Time = got[i].Time; got[i] != want[i] || got[i].Time.IsZero() || i > 0 && got[i].Time.Before(got[i-1].Time) {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
	sim.Reset()
	if kept := sim.Attendances(); len(kept) != 1 || kept[0].Connection != ids[0].ID {
		t.Errorf("after a reset: %+v", kept)
	}
}
