package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"ringstream/schemas/topology"
)

// lookInterval is how often a replica looks at RTE itself.
const lookInterval = 2 * time.Second

// errRemade means that RTE was deleted and made anew under a fold. A consumer
// would wait until the new stream has grown as long as the old one, and leave
// out what is in it until then; who begins anew finds whose it is.
var errRemade = errors.New("RTE was made anew")

// look tells how far RTE has got, and begins every fold anew when it is not the
// stream any more that it was.
func (r replica) look(ctx context.Context) {
	var created time.Time
	for ctx.Err() == nil {
		// A server that does not answer tells nothing.
		if rte, err := r.js.Stream(ctx, topology.RTE); err == nil {
			info := rte.CachedInfo()
			if !created.IsZero() && !info.Created.Equal(created) {
				r.restart.all(errRemade)
			}
			created = info.Created
			r.seen.newest(info.State.LastTime)
		}
		pause(ctx, lookInterval)
	}
}

// restarts ends what runs under it, so that it begins anew.
type restarts struct {
	mu      sync.Mutex
	running map[*context.CancelCauseFunc]struct{}
}

func newRestarts() *restarts { return &restarts{running: map[*context.CancelCauseFunc]struct{}{}} }

// run works until ctx ends or everything is to begin anew.
func (r *restarts) run(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.mu.Lock()
	r.running[&cancel] = struct{}{}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, &cancel)
	}()
	return work(ctx)
}

func (r *restarts) all(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for cancel := range r.running {
		(*cancel)(cause)
	}
}
