package reapit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// ErrMalformed is wrapped where an answer is not what was asked for.
var ErrMalformed = errors.New("malformed answer")

const (
	pageSize  = 100     // the most that Reapit gives
	maxPages  = 1000    // no customer has as many people
	maxPeople = 100_000 // nor these
	readings  = 3       // of a list that changes meanwhile
)

// Negotiator is what is needed to know of one.
type Negotiator struct {
	ID     string
	Email  string
	Active bool
}

type negotiator struct {
	ID     string  `json:"id"`
	Email  *string `json:"email"`
	Active *bool   `json:"active"`
}

type page struct {
	Embedded       []negotiator `json:"_embedded"`
	PageSize       int          `json:"pageSize"`
	TotalPageCount int          `json:"totalPageCount"`
	TotalCount     int          `json:"totalCount"`
}

// Negotiators lists a customer's negotiators, active or not, in the order in
// which Reapit first names them. It goes by page number and trusts no total: a
// full page is followed by another, and so is a short one before the last. But
// where the total changes meanwhile or announces more, somebody may have moved
// to a page that was read before, and the list is read again. What is the same
// twice is the list, whatever its total says.
func (c *Client) Negotiators(ctx context.Context, customer string) ([]Negotiator, error) {
	var before roll
	for range readings {
		list, err := c.list(ctx, customer)
		if err != nil {
			return nil, fmt.Errorf("list negotiators of %s, %w", customer, err)
		}
		if list.whole() || len(list.all) > 0 && slices.Equal(list.all, before.all) {
			return list.all, nil
		}
		before = list
	}
	return nil, fmt.Errorf("list negotiators of %s: %w: it is another in each of %d readings", customer, ErrMalformed, readings)
}

func (c *Client) list(ctx context.Context, customer string) (roll, error) {
	list := roll{at: map[string]int{}}
	for number := 1; number <= maxPages && len(list.all) <= maxPeople; number++ {
		p, err := c.page(ctx, customer, number)
		if err != nil {
			return roll{}, fmt.Errorf("page %d: %w", number, err)
		}
		list.count(p.TotalCount)
		if fresh := list.add(p.Embedded); fresh == 0 || p.last(number) {
			return list, nil
		}
	}
	return roll{}, fmt.Errorf("page after page: %w: more than %d pages or %d people", ErrMalformed, maxPages, maxPeople)
}

// last tells whether nothing can follow: the page is not full, and none is
// announced.
func (p page) last(number int) bool {
	size := p.PageSize
	if size <= 0 {
		size = pageSize
	}
	return len(p.Embedded) < size && number >= p.TotalPageCount
}

// roll is a list that names nobody twice. Somebody who was added to Reapit
// between two pages moves the others, and one of them comes again.
type roll struct {
	all     []Negotiator
	at      map[string]int
	total   int // as told last; 0 when it was not
	changed bool
}

func (l *roll) count(total int) {
	if total <= 0 {
		return
	}
	l.changed = l.changed || l.total > 0 && l.total != total
	l.total = total
}

// whole reports whether nobody can be missing.
func (l *roll) whole() bool { return !l.changed && len(l.all) >= l.total }

func (l *roll) add(found []negotiator) (fresh int) {
	for _, f := range found {
		if f.ID == "" {
			continue
		}
		n := Negotiator{ID: f.ID, Active: f.Active == nil || *f.Active}
		if f.Email != nil {
			n.Email = *f.Email
		}
		if i, known := l.at[n.ID]; known {
			l.all[i] = n
			continue
		}
		l.at[n.ID] = len(l.all)
		l.all = append(l.all, n)
		fresh++
	}
	return fresh
}

func (c *Client) page(ctx context.Context, customer string, number int) (page, error) {
	a := c.ask(ctx, request{
		method: http.MethodGet, path: "/negotiators/", customer: customer, limit: maxPage,
		// In an order that does not change between two pages.
		query: url.Values{"pageSize": {strconv.Itoa(pageSize)}, "pageNumber": {strconv.Itoa(number)}, "sortBy": {"name"}},
	})
	if err := a.Fault(); err != nil {
		if a.Status == http.StatusUnauthorized {
			c.RefreshToken(customer) // for whoever asks next
		}
		if a.Ungranted() {
			err = fmt.Errorf("scope %s: %w", ScopeNegotiators, err)
		}
		return page{}, err
	}
	var p page
	if err := json.Unmarshal(a.body, &p); err != nil {
		return page{}, fmt.Errorf("%s: %w: %w", SettingAPIURL, ErrMalformed, errors.Join(a.broken, err))
	}
	if p.Embedded == nil && number == 1 { // behind the last page, nothing is no surprise
		return page{}, fmt.Errorf("%s: %w: no _embedded", SettingAPIURL, ErrMalformed)
	}
	return p, nil
}
