package rtesim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// What can be made to fail, and the status it fails with. A slow token comes
// late, but comes; a malformed one is no JSON.
var faultStatus = map[string]int{
	"discovery-5xx":   http.StatusServiceUnavailable,
	"token-401":       http.StatusUnauthorized,
	"token-429":       http.StatusTooManyRequests,
	"token-5xx":       http.StatusServiceUnavailable,
	"token-slow":      http.StatusOK,
	"token-malformed": http.StatusOK,
	"negotiate-401":   http.StatusUnauthorized,
	"negotiate-5xx":   http.StatusServiceUnavailable,
	"connect-401":     http.StatusUnauthorized,
	"connect-5xx":     http.StatusServiceUnavailable,
}

// Fault makes the next Count requests of one kind fail.
type Fault struct {
	What  string
	Count int           // 0 clears
	Delay time.Duration // of token-slow
}

type faults struct {
	mu  sync.Mutex
	set map[string]Fault
}

func (f *faults) add(fault Fault) error {
	if _, known := faultStatus[fault.What]; !known {
		return fmt.Errorf("unknown fault %q, known are %v", fault.What, slices.Sorted(maps.Keys(faultStatus)))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.set == nil {
		f.set = make(map[string]Fault)
	}
	f.set[fault.What] = fault
	return nil
}

// take uses up one of the faults of a kind.
func (f *faults) take(what string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := f.set[what]
	if fault.Count <= 0 {
		return Fault{}, false
	}
	used := fault
	used.Count--
	f.set[what] = used
	return fault, true
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.set)
}

// fails answers with the first of the named faults that is due.
func (f *faults) fails(w http.ResponseWriter, what ...string) bool {
	for _, name := range what {
		if _, due := f.take(name); due {
			http.Error(w, http.StatusText(faultStatus[name]), faultStatus[name])
			return true
		}
	}
	return false
}
