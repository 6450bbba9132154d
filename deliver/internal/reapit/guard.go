package reapit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// errShared says why a customer has no token although one was given.
var errShared = errors.New("the token endpoint gives the same token for several customers, " +
	"and a gateway that remembers whose it was first would show the calls of one on the screens of another; " +
	"where Reapit confirms that the header reapit-customer alone decides, set " + SettingSharedToken + "=true")

// errForeign is a mistake of this program: a token in the wrong place.
var errForeign = errors.New("the token is another customer's")

// sharedPause is for how long nobody asks again on behalf of a customer to whom
// Reapit gave the token of another: it does so until that one is about to end.
const sharedPause = 5 * time.Minute

// guard sees to it that no token acts for two customers. A token that was used
// for one is that one's until it ends. Reapit may give the same token to
// whoever asks, and then there is one for all: it is the leader's.
//
// The leader is the first customer of [Client.Customers]; once a customer has
// led, it does so for as long as it is one. Nobody else uses a token before a
// second request has shown that each is given another. So every process comes
// to the same without knowing of the others: after a restart, and beside a
// standby, the tokens that are one for all are the leader's only. What is not
// known is a token that another process has used under another leader, within
// the hour after somebody else became the first.
type guard struct {
	mu     sync.Mutex
	owners map[[sha256.Size]byte]owner // by a hash: the tokens themselves are kept nowhere else
	led    string
}

type owner struct {
	customer string
	until    time.Time
}

// claim gives the token to a customer, unless it is another's: then it tells whose.
func (g *guard) claim(t token, customer string) (whose string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, key := time.Now(), sha256.Sum256([]byte(t.secret))
	for old, o := range g.owners {
		if !now.Before(o.until) {
			delete(g.owners, old)
		}
	}
	if o, known := g.owners[key]; known {
		return o.customer
	}
	if g.owners == nil {
		g.owners = map[[sha256.Size]byte]owner{}
	}
	g.owners[key] = owner{customer, t.ends}
	return customer
}

// owner tells whose the token is; empty: nobody's.
func (g *guard) owner(t token) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.owners[sha256.Sum256([]byte(t.secret))].customer
}

// leader tells who has the token where there is one for all.
func (g *guard) leader(asking string, all []string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led == "" || len(all) > 0 && !slices.Contains(all, g.led) {
		g.led = asking
		if len(all) > 0 {
			g.led = all[0]
		}
	}
	return g.led
}

func shared(customer, whose string) *Result {
	return &Result{Kind: TokenShared, setting: SettingSharedToken, Err: fmt.Errorf("%s is given the token of %s: %w", customer, whose, errShared)}
}
