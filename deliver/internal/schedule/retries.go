package schedule

import "time"

// What retries may cost: a fifth of the requests that are first ones, or one a
// second where there are few. Some are saved up, for an odd failure among many.
const (
	retryShare = 0.2
	retryPause = time.Second
	retryDepth = 10
)

// retries keeps what fails from becoming a storm. A retry that succeeds costs
// nothing: what has waited for the end of an outage goes out as fast as the
// limits allow.
type retries struct {
	tokens float64
	last   time.Time
}

// allowed reports whether one may go out, and when the next may if not.
func (r *retries) allowed(now time.Time) (next time.Time, ok bool) {
	next = r.last.Add(retryPause)
	return next, r.tokens >= 1 || !now.Before(next)
}

func (r *retries) spend(now time.Time) {
	r.tokens, r.last = max(0, r.tokens-1), now
}

func (r *retries) earn(share float64) { r.tokens = min(retryDepth, r.tokens+share) }
