package call

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// packed is a call in whose memory nothing is empty.
func packed() (*Call, []byte) {
	reason, at := "remote", time.Date(2026, 11, 2, 9, 0, 0, 1, time.UTC)
	c := &Call{
		ID: "0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1", Org: "org", Seq: 300, Seen: []id{idOf("a"), idOf("0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a2")},
		In: numbers{"1", "2"}, Out: numbers{"3", "é"}, Direct: true, Group: true, Alloc: allocOther, Gap: true,
		life:  life{Phase: closed, AnsweredBy: "u", AnsweredAt: at, Hung: true, EndAt: at.Add(time.Hour), GoneAt: at.Add(-time.Hour), Settling: at},
		Floor: at.AddDate(100, 0, 0), Last: at.AddDate(-1000, 0, 0), Cause: event.Cause{EventID: "e", EventType: "t", Reason: &reason}, Resting: at,
		Users: []participant{{"u", "n", true, true, spell{ringing, talking, at, at.Add(time.Minute), true, true}}, {ID: "0B4AD1F2-16F1-4A5E-8B34-3CF3D4A0D0A1"}},
		Legs:  []leg{{"u", strings.Repeat("n", 300), linked}},
	}
	p := NewPacker()
	c.Pack(p)
	return c, p.Bytes()
}

func TestCallIsReadAsItWasPacked(t *testing.T) {
	want, b := packed()
	p, got := NewUnpacker(b), new(Call)
	if got.Pack(p); p.Err() != nil || len(p.Bytes()) > 0 || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, %d bytes left\ngot  %+v\nwant %+v", p.Err(), len(p.Bytes()), got, want)
	}
	for n := range b {
		p := NewUnpacker(b[:n])
		if new(Call).Pack(p); p.Err() == nil {
			t.Errorf("%d of %d bytes were taken", n, len(b))
		}
	}
}

// A field that was added to a call and is not packed shows only where it is set.
func TestPackedCallHasEveryField(t *testing.T) {
	c, _ := packed()
	for _, name := range unset(reflect.ValueOf(*c), "Call") {
		t.Errorf("%s is empty", name)
	}
}

// unset lists what is zero in a value, and in the first element of its lists.
func unset(v reflect.Value, name string) (names []string) {
	switch {
	case v.IsZero():
		return []string{name}
	case v.Kind() == reflect.Slice:
		return unset(v.Index(0), name+"[0]")
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			names = append(names, unset(v.Field(i), name+"."+v.Type().Field(i).Name)...)
		}
	}
	return names
}

// Whatever a snapshot holds, reading it comes to an end, and what was read is
// written in such a way that it is read again.
func FuzzUnpack(f *testing.F) {
	_, b := packed()
	f.Add(b)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, first := NewUnpacker(b), new(Call)
		if first.Pack(p); p.Err() != nil {
			return
		}
		p = NewPacker()
		first.Pack(p)
		p, again := NewUnpacker(p.Bytes()), new(Call)
		if again.Pack(p); p.Err() != nil || !reflect.DeepEqual(again, first) {
			t.Errorf("%v\ngot  %+v\nwant %+v", p.Err(), again, first)
		}
	})
}

// Two events never share an id, whatever it is.
func TestIDsOfEvents(t *testing.T) {
	guid := "0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1"
	seen := map[id]string{}
	for _, text := range []string{guid, strings.ToUpper(guid), guid + "0", strings.ReplaceAll(guid, "-", "0"), guid[:35] + "g", "", "a", "sha256-" + guid} {
		if other, known := seen[idOf(text)]; known {
			t.Errorf("%q and %q are one", text, other)
		}
		seen[idOf(text)] = text
	}
	if v := idOf(guid); string(written(v[:])) != guid {
		t.Errorf("%s", written(v[:]))
	}
}
