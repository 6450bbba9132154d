package app

import (
	"context"
	"errors"

	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
)

// errOvertaken means that what a request would have shown was overtaken while it waited.
var errOvertaken = errors.New("overtaken while it waited to be sent")

// A request that was decided on may still have to wait: for the log, for a token.
// When a call ends meanwhile, or somebody else answers it, the request is taken
// back, unless it is on its way: nobody is shown what is known to be over.

type recalled struct{}

// recallable is a context for a request that recall can take back.
func (t *term) recallable(ctx context.Context, q schedule.Request) context.Context {
	back := make(chan struct{})
	t.waits[q.ID()] = back
	return context.WithValue(ctx, recalled{}, (<-chan struct{})(back))
}

// recall takes back what has been overtaken. What is on its way does not look.
func (t *term) recall() {
	for id, back := range t.waits {
		if t.memory.Overtaken(id) {
			close(back)
			delete(t.waits, id)
		}
	}
}

// recalling is closed when the request of a context is taken back.
func recalling(ctx context.Context) <-chan struct{} {
	back, _ := ctx.Value(recalled{}).(<-chan struct{})
	return back
}

func isRecalled(ctx context.Context) bool {
	select {
	case <-recalling(ctx):
		return true
	default:
		return false
	}
}

// whileWanted admits nothing that was taken back, before it has waited or after.
func whileWanted(admit func(context.Context) (func(reapit.Result), error)) func(context.Context) (func(reapit.Result), error) {
	return func(ctx context.Context) (func(reapit.Result), error) {
		if isRecalled(ctx) {
			return nil, errOvertaken
		}
		release, err := admit(ctx)
		if err == nil && isRecalled(ctx) {
			release(takenBack())
			return nil, errOvertaken
		}
		return release, err
	}
}

func takenBack() reapit.Result { return reapit.Result{Kind: reapit.NotSent, Err: errOvertaken} }
