package bus_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// What is published once a second, and refused, is a line a minute.
func TestARefusalIsToldOnce(t *testing.T) {
	s := bustest.RunWithoutJetStream(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "ring", Password: password, Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"heard.*"}},
		}}}
	})
	log := &journal{}
	nc, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), User: "ring", Password: password}, "test", log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range []string{"heard.a", "heard.a", "heard.a", "heard.b"} {
		if err := nc.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Eventually(t, "told", func() bool { return log.has("heard.b") }) // which the server refuses last
	if n := log.lines("NATS refused something"); n != 2 {
		t.Errorf("%d lines:\n%s", n, log)
	}
}
