package directory

import "sync"

// miss is why a user is no negotiator; the zero miss is none.
type miss struct{ why, who string }

// Causes of a miss, as delivery outcomes have them; the reason says them in full.
const (
	notLoaded = "not-loaded"
	noName    = "no-name"
	nobody    = "nobody"
	inactive  = "inactive"
	ambiguous = "ambiguous"
	retired   = "retired"
	stranger  = "no-customer"
)

// Reasons lists what Unmapped counts by.
func Reasons() []string { return []string{stranger, noName, nobody, inactive, ambiguous, retired} }

var inFull = map[string]string{
	notLoaded: "the negotiators are not known yet",
	noName:    "the user has no name to match and no override",
	nobody:    "no active negotiator has the user's e-mail address",
	inactive:  "only inactive negotiators have the user's e-mail address: ",
	ambiguous: "several active negotiators have the user's e-mail address: ",
	stranger:  "the organization is no customer of Reapit's",
	retired:   "the negotiator of the override is not active: ",
}

func (m miss) String() string { return inFull[m.why] + m.who }

// maxReports bounds what is remembered of users that never come again.
const maxReports = 10_000

// reports remembers what was said about whom.
type reports struct {
	mu   sync.Mutex
	last map[string]miss
}

// isNew tells whether m is to be said about who: once each, and again when it
// was another in between.
func (r *reports) isNew(who string, m miss) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last[who] == m {
		return false
	}
	if m == (miss{}) {
		delete(r.last, who)
		return false
	}
	if len(r.last) >= maxReports {
		clear(r.last)
	}
	r.last[who] = m
	return true
}

func (r *reports) count() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := map[string]int{}
	for _, m := range r.last {
		n[m.why]++
	}
	return n
}
