package reapit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// stretch is how much longer than recorded a token may last before that is
// recorded, too: when it ends is told in whole seconds, or not at all.
const stretch = time.Minute

// guard sees to it that no token acts for two customers. A token that was used
// for one is that one's until it ends. Reapit may give the same token to
// whoever asks, and then there is one for all: it is the leader's.
//
// The leader is the first customer of [Client.Customers]; once a customer has
// led, it does so for as long as it is one. Nobody else uses a token before a
// second request has shown that each is given another. So every process comes
// to the same without knowing of the others. Where it does not, because another
// customer has become the first, [Client.Claim] tells whose the token already
// is; without such a record that is known of this process only.
type guard struct {
	mu     sync.Mutex
	owners map[[sha256.Size]byte]owner // by a hash: the tokens themselves are kept nowhere else
	led    string
}

type owner struct {
	customer string
	until    time.Time
	recorded bool // beyond this process
	found    bool // as such: another process has recorded it
}

// lasting tells whether what is recorded is enough for the token.
func (o owner) lasting(t token) bool { return o.recorded && !t.ends.After(o.until.Add(stretch)) }

// claim gives the token to an owner, unless it is another's: then it tells whose.
func (g *guard) claim(t token, o owner) owner {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, key := time.Now(), hashOf(t)
	for old, o := range g.owners {
		if !now.Before(o.until) {
			delete(g.owners, old)
		}
	}
	o.until = t.ends
	if had, known := g.owners[key]; known {
		if had.customer != o.customer {
			return had
		}
		o.recorded, o.found = o.recorded || had.recorded, o.found || had.found
		if had.until.After(o.until) {
			o.until = had.until
		}
	}
	if g.owners == nil {
		g.owners = map[[sha256.Size]byte]owner{}
	}
	g.owners[key] = o
	return o
}

// owner tells whose the token is; of no customer: nobody's.
func (g *guard) owner(t token) owner {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.owners[hashOf(t)]; time.Now().Before(o.until) {
		return o
	}
	return owner{}
}

func hashOf(t token) [sha256.Size]byte { return sha256.Sum256([]byte(t.secret)) }

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

// claim gives the token to a customer, here and in the record, unless it is
// another's in one of them: then it tells whose.
func (c *Client) claim(ctx context.Context, t token, customer string) owner {
	mine := c.guard.owner(t)
	if mine.lasting(t) {
		return mine
	}
	claimant, whose := cmp.Or(mine.customer, customer), ""
	if c.Claim != nil {
		hash := hashOf(t)
		whose = c.Claim(ctx, hex.EncodeToString(hash[:]), claimant, t.ends)
	}
	if whose == "" {
		return c.guard.claim(t, owner{customer: claimant})
	}
	record := owner{customer: whose, recorded: true, found: whose != claimant}
	held := c.guard.claim(t, record)
	if whose != customer { // who has used it here has done so before it could be recorded
		return record
	}
	return held
}

func shared(customer string, o owner) *Result {
	by := ""
	if o.found {
		by = ", to whom another replica or an earlier start gave it"
	}
	return &Result{Kind: TokenShared, setting: SettingSharedToken, Err: fmt.Errorf("%s is given the token of %s%s: %w", customer, o.customer, by, errShared)}
}
