//go:build linux

package e2e

import (
	"strconv"

	"ringstream/schemas/topology"
)

// What is not as promised, as replay watch finds it.
var watchAlerts = []provocation{{
	alert: "RingstreamViolation", place: &wholeStack, lingers: true,
	says: map[string]string{"replay watch": " stray-outcome DELIVERIES "},
	cause: func(s *site) { // a foreign publisher, as of RingstreamUnreadableMessages
		ack, err := s.js.Publish(s.t.Context(), topology.Delivery("SBOX", "any", "delivered", "any"), []byte("any"))
		s.must(err)
		s.foreign = ack.Sequence
	},
	means: func(s *site) map[string]string { return map[string]string{"SEQ": strconv.FormatUint(s.foreign, 10)} },
	cure:  func(*site) {}, // the permission is taken away
}}
