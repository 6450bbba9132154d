package app

import (
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
)

func message() bus.Outgoing {
	return bus.Outgoing{
		Subject: "rte.0.o.e.k", Key: "k", Arrived: time.Unix(1700000000, 123456789).UTC(), Data: []byte("{\"n\":1}"),
		Header: nats.Header{"Nats-Msg-Id": {"id"}, "ce-type": {"t"}, "two": {"a", ""}},
	}
}

func TestPackedMessageIsTheSame(t *testing.T) {
	want := message()
	if got, err := unpack(pack(nil, want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzUnpack(f *testing.F) {
	whole := pack(nil, message())
	for _, b := range [][]byte{whole, whole[:7], whole[:20], {packing}, {packing + 1}, nil, {packing, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := unpack(b)
		if err != nil {
			return
		}
		again, err := unpack(pack(nil, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
