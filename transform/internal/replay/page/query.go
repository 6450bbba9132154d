package page

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Query is what is asked of the list.
type Query struct {
	Text string // digits a number ends with, a part of a user's name, an id of a user, negotiator or call
	Show Show
	Page int // from 1
}

// Show is which calls are shown.
type Show string

// What can be shown.
const (
	ShowAll     Show = "all"
	ShowRinging Show = "ringing"
	ShowNotTold Show = "not-told"
)

const (
	rowsAPage   = 200
	longestText = 200
)

// ReadQuery reads the query of a URL; what it does not know counts for nothing.
func ReadQuery(v url.Values) Query {
	q := Query{Text: strings.TrimSpace(v.Get("q")), Show: Show(v.Get("show")), Page: 1}
	if len(q.Text) > longestText {
		q.Text = strings.ToValidUTF8(q.Text[:longestText], "")
	}
	if q.Show != ShowRinging && q.Show != ShowNotTold {
		q.Show = ShowAll
	}
	if n, err := strconv.Atoi(v.Get("page")); err == nil && n > 1 {
		q.Page = n
	}
	return q
}

// Values is the query as a URL has it.
func (q Query) Values() url.Values {
	v := url.Values{}
	if q.Text != "" {
		v.Set("q", q.Text)
	}
	if q.Show != ShowAll {
		v.Set("show", string(q.Show))
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	return v
}

// URL of the list that the query asks for.
func (q Query) URL() string {
	if s := q.Values().Encode(); s != "" {
		return "/?" + s
	}
	return "/"
}

// With is the first page of another selection.
func (q Query) With(show Show) Query { return Query{Text: q.Text, Show: show, Page: 1} }

// At is another page.
func (q Query) At(page int) Query { return Query{Text: q.Text, Show: q.Show, Page: page} }

// Narrow reports whether some calls may be left out.
func (q Query) Narrow() bool { return q.Text != "" || q.Show != ShowAll }

func (q Query) matches(s *Summary) bool {
	switch {
	case q.Show == ShowRinging && s.State != Ringing:
		return false
	case q.Show == ShowNotTold && !slices.ContainsFunc(s.Screens, Screen.missing):
		return false
	}
	return q.Text == "" || q.names(s)
}

// names reports whether the text names the call, its caller or somebody in it.
func (q Query) names(s *Summary) bool {
	text := strings.ToLower(q.Text)
	if strings.HasPrefix(s.Call, text) || endsWith(s.Caller, text) || endsWith(s.Called, text) {
		return true
	}
	return slices.ContainsFunc(s.Screens, func(one Screen) bool {
		return strings.EqualFold(one.Negotiator, text) || strings.EqualFold(one.User.UserID, text) || strings.Contains(readable(one.User.UserName), readable(text))
	})
}

// readable lets "jane smith" find jane.smith@agency.example.
func readable(name string) string {
	return strings.NewReplacer(".", " ", "_", " ").Replace(strings.ToLower(name))
}

// endsWith reports whether a number ends with the digits that a text is made of.
// The zero of a national number stands for the country's code.
func endsWith(number, text string) bool {
	digits, all := digitsOf(text)
	if !all || digits == "" {
		return false
	}
	have, _ := digitsOf(number)
	return strings.HasSuffix(have, digits) || len(digits) > 1 && digits[0] == '0' && strings.HasSuffix(have, digits[1:])
}

// digitsOf takes the digits out of a text, and says whether it has nothing else
// than people write between them.
func digitsOf(text string) (digits string, all bool) {
	all = true
	digits = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case !strings.ContainsRune(" +-()/.…", r):
			all = false
		}
		return -1
	}, text)
	return digits, all
}
