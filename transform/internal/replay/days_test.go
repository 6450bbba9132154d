package replay

import (
	"reflect"
	"testing"
	"time"

	"ringstream/schemas/coverage"
)

func gap(entity, from, until string) coverage.Gap {
	at := func(s string) time.Time {
		t, err := time.Parse("2006-01-02 15:04:05.999", s)
		if err != nil {
			panic(err)
		}
		return t
	}
	return coverage.Gap{Entity: entity, From: at(from), Until: at(until)}
}

func TestDaysOf(t *testing.T) {
	for name, tt := range map[string]struct {
		gaps []coverage.Gap
		want []day
	}{
		"none": {nil, []day{}},
		"within a day, twice": {
			[]coverage.Gap{gap("e", "2026-11-02 09:00:00", "2026-11-02 09:00:01.5"), gap("e", "2026-11-02 10:00:00", "2026-11-02 10:01:00")},
			[]day{{Day: "2026-11-02", Entity: "e", Seconds: 61.5}},
		},
		"over midnight": {
			[]coverage.Gap{gap("e", "2026-11-02 23:59:50", "2026-11-03 00:00:20")},
			[]day{{Day: "2026-11-02", Entity: "e", Seconds: 10}, {Day: "2026-11-03", Entity: "e", Seconds: 20}},
		},
		"over several, and until midnight": {
			[]coverage.Gap{gap("f", "2026-11-02 12:00:00", "2026-11-05 00:00:00"), gap("e", "2026-11-03 00:00:00", "2026-11-03 00:00:00.25")},
			[]day{
				{Day: "2026-11-02", Entity: "f", Seconds: 43200},
				{Day: "2026-11-03", Entity: "e", Seconds: 0.25},
				{Day: "2026-11-03", Entity: "f", Seconds: 86400},
				{Day: "2026-11-04", Entity: "f", Seconds: 86400},
			},
		},
	} {
		got := daysOf("", tt.gaps)
		for i := range got {
			got[i].spent = 0
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, tt.want)
		}
	}
}

// Who was missing as long as everything is not named again.
func TestDayTable(t *testing.T) {
	nobody := daysOf("", []coverage.Gap{
		gap(coverage.Everything, "2026-11-02 23:59:50", "2026-11-03 00:00:20"),
		gap("e", "2026-11-02 23:59:50", "2026-11-03 00:00:20.5"),
		gap("f", "2026-11-02 23:59:50", "2026-11-03 00:01:00"),
		gap("g", "2026-11-02 23:59:50", "2026-11-03 00:01:00"),
	})
	one := daysOf("a", []coverage.Gap{gap("e", "2026-11-02 20:00:00", "2026-11-02 21:00:00")})
	want := [][]string{
		{"DAY", "SECONDS", "UNHEARD BY", "WHOM"},
		{"2026-11-02", "10", "all", "everything"},
		{"2026-11-02", "3600", "a", "e"},
		{"2026-11-03", "20", "all", "everything"},
		{"2026-11-03", "60", "all", "f, g"},
	}
	if got := dayTable(byDay(append(one, nobody...))); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
