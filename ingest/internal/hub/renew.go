package hub

import (
	"context"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/telemetry"
)

// renewal fetches the token for the next connection while the present one is
// live, so that it is known in time if there is none to be had. The present
// connection is not touched: its token was looked at when it was made.
type renewal struct {
	hub     *Hub
	expires time.Time
	timer   *time.Timer
	fetched chan fetched // capacity 1
	busy    bool
	failed  bool
}

type fetched struct {
	grant rte.Grant
	err   error
}

const never = 1<<63 - 1

func newRenewal(h *Hub, present rte.Grant) *renewal {
	r := &renewal{hub: h, timer: time.NewTimer(never), fetched: make(chan fetched, 1)}
	r.plan(present)
	return r
}

// plan sets the time of the next attempt.
func (r *renewal) plan(newest rte.Grant) {
	r.expires = newest.Expires
	now := time.Now()
	if at, known := session.RenewAt(now, newest.Expires); known {
		r.timer.Reset(max(at.Sub(now), r.hub.Limits.Renew))
	}
}

// start fetches one beside the connection.
func (r *renewal) start(ctx context.Context) {
	r.busy = true
	go func() {
		ctx, cancel := context.WithTimeout(ctx, r.hub.Limits.Token)
		defer cancel()
		grant, err := r.hub.Grant(ctx)
		r.fetched <- fetched{grant, err}
	}()
}

// take keeps the token, or tells that there is none.
func (r *renewal) take(f fetched) {
	r.busy = false
	r.hub.Observe.Renewed(f.err)
	if f.err != nil {
		r.failed = true
		r.hub.Log.Warn("no token for the next connection to the hub; the present one goes on",
			telemetry.Error, f.err, "expires", r.expires, "retry_in", r.hub.Limits.Renew.String())
		r.hub.mark(f.err.Error())
		r.timer.Reset(r.hub.Limits.Renew)
		return
	}
	if r.failed {
		r.hub.Log.Info("got a token for the next connection to the hub")
	}
	r.failed = false
	r.hub.kept = f.grant
	r.hub.mark("")
	r.plan(f.grant)
}

// pause waits for an attempt under way, whose context has ended. If that came
// to nothing, the next one is soon.
func (r *renewal) pause() {
	if r.busy {
		r.busy = false
		if f := <-r.fetched; f.err == nil {
			r.take(f)
		} else {
			r.timer.Reset(r.hub.Limits.Renew)
		}
	}
}

// mark says in the status why there is no token for the next connection.
func (h *Hub) mark(trouble string) {
	status := h.Status()
	status.Token = trouble
	h.status.Store(&status)
}
