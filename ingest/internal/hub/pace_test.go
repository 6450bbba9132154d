package hub

import (
	"testing"
	"time"

	"ringstream/ingest/internal/session"
)

// However long an outage lasted, the next one begins with a short wait.
func TestWaitsStartOverAfterAGoodConnection(t *testing.T) {
	for _, end := range []session.Cause{session.Lost, session.Closed, session.Silent} {
		p := newPace(DefaultLimits())
		for range 20 {
			p.next(session.Ending{Cause: session.Unreachable})
			p.next(session.Ending{Cause: session.Credentials})
		}
		if move, pause := p.next(session.Ending{Cause: end, Live: 55 * time.Second}); move != session.AtOnce || pause != 0 {
			t.Errorf("%s: %s after %s", end, move, pause)
		}
		for _, cause := range []session.Cause{session.Unreachable, session.Credentials} {
			if _, pause := p.next(session.Ending{Cause: cause}); pause > time.Second {
				t.Errorf("%s, then %s: waits %s", end, cause, pause)
			}
		}
	}
}
