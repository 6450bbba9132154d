package directory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringstream/deliver/internal/reapit"
)

// ErrNothingKept is wrapped where there is no reading that could be used.
var ErrNothingKept = errors.New("nothing kept")

// Reading is what Reapit listed at a time.
type Reading struct {
	At          time.Time
	Negotiators []reapit.Negotiator
}

// Store keeps the newest reading of a customer for a start at which Reapit
// cannot be read.
type Store interface {
	// Recall gives it. Where it is not there or no use, trying again is none
	// either, and the error wraps ErrNothingKept.
	Recall(ctx context.Context, customer string) (Reading, error)
	Keep(ctx context.Context, customer string, r Reading) error
}

const keptVersion = 1

// keptList is a reading as it is kept: of each negotiator what the matching
// needs, which is the id, the e-mail address and whether they are active. No
// name, no telephone number and no secret is in it.
type keptList struct {
	Version     int          `json:"version"`
	Customer    string       `json:"customer"`
	ReadAt      time.Time    `json:"readAt"`
	Negotiators []keptPerson `json:"negotiators"`
}

type keptPerson struct {
	ID     string `json:"id"`
	Email  string `json:"email,omitempty"`
	Active bool   `json:"active"`
}

// keptMark tells that a list was read again and was the same.
type keptMark struct {
	List   string    `json:"list"`
	ReadAt time.Time `json:"readAt"`
}

// Encode writes the reading in two parts: the list, which is to be stored when
// it is another, and a small mark, which is enough when it is the same.
func (r Reading) Encode(customer string) (list, mark []byte, err error) {
	people := r.people()
	if list, err = json.Marshal(keptList{keptVersion, customer, r.At.UTC(), people}); err != nil {
		return nil, nil, fmt.Errorf("encode negotiators of %s: %w", customer, err)
	}
	if mark, err = json.Marshal(keptMark{digest(people), r.At.UTC()}); err != nil {
		return nil, nil, fmt.Errorf("encode when negotiators of %s were read: %w", customer, err)
	}
	return list, mark, nil
}

// Decode reads what Encode wrote. A mark of another list, or none, is left out.
func Decode(customer string, list, mark []byte) (Reading, error) {
	l, err := decodeList(list)
	switch {
	case err != nil:
		return Reading{}, err
	case l.Customer != customer:
		return Reading{}, fmt.Errorf("%w: it is another customer's", ErrNothingKept)
	case len(l.Negotiators) == 0:
		return Reading{}, fmt.Errorf("%w: the list is empty", ErrNothingKept)
	}
	r := Reading{At: l.ReadAt}
	for _, p := range l.Negotiators {
		r.Negotiators = append(r.Negotiators, reapit.Negotiator{ID: p.ID, Email: p.Email, Active: p.Active})
	}
	var m keptMark
	if json.Unmarshal(mark, &m) == nil && m.List == digest(l.Negotiators) && m.ReadAt.After(r.At) {
		r.At = m.ReadAt
	}
	return r, nil
}

// decodeList says nothing of the content, which may be anybody's.
func decodeList(data []byte) (l keptList, err error) {
	var head struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(data, &head) != nil || head.Version == 0 {
		return l, fmt.Errorf("%w: what is there is no list of negotiators", ErrNothingKept)
	}
	if head.Version != keptVersion {
		return l, fmt.Errorf("%w: what is there is of version %d, not %d", ErrNothingKept, head.Version, keptVersion)
	}
	if json.Unmarshal(data, &l) != nil || slices.ContainsFunc(l.Negotiators, func(p keptPerson) bool { return p.ID == "" }) {
		return l, fmt.Errorf("%w: the list is damaged", ErrNothingKept)
	}
	return l, nil
}

// Same tells whether two readings matched everybody alike.
func (r Reading) Same(other Reading) bool { return slices.Equal(r.people(), other.people()) }

func (r Reading) people() []keptPerson {
	people := make([]keptPerson, 0, len(r.Negotiators))
	for _, n := range r.Negotiators {
		people = append(people, keptPerson{n.ID, normal(n.Email), n.Active})
	}
	slices.SortFunc(people, func(a, b keptPerson) int { return cmp.Compare(a.ID, b.ID) })
	return people
}

func digest(people []keptPerson) string {
	h := sha256.New()
	for _, p := range people {
		_, _ = fmt.Fprintf(h, "%q %q %t\n", p.ID, p.Email, p.Active)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
