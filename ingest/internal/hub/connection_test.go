package hub

import (
	"errors"
	"testing"

	"ringstream/ingest/internal/session"
)

func TestWhatTheLibraryGaveUpForIsNotCalledSilence(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want session.Cause
	}{
		{errors.New("timeout interval elapsed (30s)"), session.Silent},
		{errors.New("invalid message type {9}"), session.Malformed},
	} {
		err := gaveUp(tt.err)
		if got := (&connection{tap: &tap{}}).cause(err); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%v: %s", err, got)
		}
	}
}
