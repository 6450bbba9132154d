package reapitsim

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type query struct {
	size, number                int
	sortBy                      string
	ids, offices                []string
	email, name                 string
	active                      *bool
	createdFrom, createdTo      time.Time
	modifiedFrom, modifiedUntil time.Time
	asked                       url.Values
}

func readQuery(v url.Values) (query, error) {
	q := query{ids: v["id"], offices: v["officeId"], email: v.Get("email"), name: v.Get("name"), sortBy: v.Get("sortBy"), asked: v}
	var errs [8]error
	q.size, errs[0] = number(v, "pageSize", 25, 100)
	q.number, errs[1] = number(v, "pageNumber", 1, 1<<31-1)
	q.active, errs[2] = boolean(v, "active")
	q.createdFrom, errs[3] = moment(v, "createdFrom")
	q.createdTo, errs[4] = moment(v, "createdTo")
	q.modifiedFrom, errs[5] = moment(v, "modifiedFrom")
	q.modifiedUntil, errs[6] = moment(v, "modifiedTo")
	if !slices.Contains([]string{"", "name", "officeId"}, strings.TrimPrefix(q.sortBy, "-")) {
		errs[7] = fmt.Errorf("the sortBy value '%s' is not supported", q.sortBy)
	}
	for _, err := range errs {
		if err != nil {
			return query{}, err
		}
	}
	return q, nil
}

func number(v url.Values, name string, usual, most int) (int, error) {
	if !v.Has(name) {
		return usual, nil
	}
	n, err := strconv.Atoi(v.Get(name))
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("the %s must be between 1 and %d", name, most)
	}
	return n, nil
}

func boolean(v url.Values, name string) (*bool, error) {
	if !v.Has(name) {
		return nil, nil
	}
	b, err := strconv.ParseBool(v.Get(name))
	if err != nil {
		return nil, fmt.Errorf("the %s must be true or false", name)
	}
	return &b, nil
}

func moment(v url.Values, name string) (time.Time, error) {
	if !v.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, v.Get(name))
	if err != nil {
		t, err = time.Parse(time.DateOnly, v.Get(name))
	}
	if err != nil {
		return t, fmt.Errorf("the %s must be an ISO 8601 date with a time zone designator", name)
	}
	return t, nil
}

func (q query) filter(list Negotiators) Negotiators {
	var found Negotiators
	for _, n := range list {
		if q.wants(n) {
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(a, b Negotiator) int {
		return cmp.Or(q.compare(a, b), strings.Compare(a.ID, b.ID))
	})
	return found
}

func (q query) wants(n Negotiator) bool {
	oneOf := func(wanted []string, got string) bool { return len(wanted) == 0 || slices.Contains(wanted, got) }
	within := func(t, from, to time.Time) bool {
		return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.After(to))
	}
	return oneOf(q.ids, n.ID) && oneOf(q.offices, n.OfficeID) &&
		(q.email == "" || strings.EqualFold(q.email, n.Email)) && // never a part of it
		strings.Contains(strings.ToLower(n.Name), strings.ToLower(q.name)) &&
		(q.active == nil || *q.active == n.Active) &&
		within(n.Created, q.createdFrom, q.createdTo) && within(n.Modified, q.modifiedFrom, q.modifiedUntil)
}

func (q query) compare(a, b Negotiator) int {
	field, down := strings.CutPrefix(q.sortBy, "-")
	order := 0
	switch field {
	case "name":
		order = strings.Compare(a.Name, b.Name)
	case "officeId":
		order = strings.Compare(a.OfficeID, b.OfficeID)
	}
	if down {
		return -order
	}
	return order
}

// links are relative and spell their parameters in PascalCase, which the API itself does not.
func (q query) links(prefix string, pages int) map[string]link {
	to := func(number int) link {
		v := url.Values{}
		for name, values := range q.asked {
			if name != "" && name != "pageNumber" && name != "pageSize" {
				v[strings.ToUpper(name[:1])+name[1:]] = values
			}
		}
		href := fmt.Sprintf("%s/negotiators/?PageNumber=%d&PageSize=%d", prefix, number, q.size)
		if len(v) > 0 {
			href += "&" + v.Encode()
		}
		return link{href}
	}
	links := map[string]link{"self": to(q.number), "first": to(1), "last": to(max(pages, 1))}
	if q.number < pages {
		links["next"] = to(q.number + 1)
	}
	return links
}
