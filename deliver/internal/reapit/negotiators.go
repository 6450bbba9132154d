package reapit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// ErrMalformed is wrapped where an answer is not what was asked for.
var ErrMalformed = errors.New("malformed answer")

const (
	pageSize = 100  // the most that Reapit gives
	maxPages = 1000 // no customer has as many people
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
}

// Negotiators lists a customer's negotiators, active or not, in the order in
// which Reapit first names them. It goes by page number and trusts no total: a
// full page is followed by another, and so is a short one before the last.
func (c *Client) Negotiators(ctx context.Context, customer string) ([]Negotiator, error) {
	list := roll{at: map[string]int{}}
	for number := 1; number <= maxPages; number++ {
		p, err := c.page(ctx, customer, number)
		if err != nil {
			return nil, fmt.Errorf("list negotiators of %s, page %d: %w", customer, number, err)
		}
		if fresh := list.add(p.Embedded); fresh == 0 || p.last(number) {
			return list.all, nil
		}
	}
	return nil, fmt.Errorf("list negotiators of %s: %w: more than %d pages", customer, ErrMalformed, maxPages)
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
	all []Negotiator
	at  map[string]int
}

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
