package bus

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStanding()
		expect := func(when string, differ bool, unanswered time.Duration) {
			t.Helper()
			if s.Differ() != differ || s.Unanswered() != unanswered {
				t.Errorf("%s: differ %v, unanswered %s", when, s.Differ(), s.Unanswered())
			}
		}
		look := func(err error) {
			begun := time.Now()
			<-time.After(5 * time.Second)
			s.saw(begun, err)
		}
		silence := errors.New("no answer")
		look(silence)
		expect("never answered", false, 5*time.Second)
		look(nil)
		expect("as the contract says", false, 0)
		look(fmt.Errorf("%w: RTE", ErrMissing))
		expect("missing", true, 0)
		look(silence)
		expect("missing, then silence", true, 5*time.Second)
		look(silence)
		expect("silence goes on", true, 10*time.Second)
		look(errors.Join(ErrDiffers))
		expect("an answer", true, 0)
		look(nil)
		expect("repaired", false, 0)
	})
}
