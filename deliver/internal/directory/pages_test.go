package directory_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

// book is a CRM of pages, by number, in the form that Reapit documents.
type book struct {
	mu    sync.Mutex
	pages []string
}

func (b *book) write(pages ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages = pages
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/oauth/token" {
		_, _ = fmt.Fprint(w, `{"access_token":"token","token_type":"Bearer","expires_in":3600}`)
		return
	}
	number := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("pageNumber"), &number)
	text := `{"_embedded":[],"pageNumber":9,"pageSize":100,"pageCount":0,"totalPageCount":2,"totalCount":102,"_links":{}}`
	if number <= len(b.pages) {
		text = b.pages[number-1]
	}
	if text == "" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprint(w, text)
}

// full is a page of a hundred people, of whom the named come first.
func full(first ...string) string {
	list := first
	for i := len(list); i < 100; i++ {
		list = append(list, person(fmt.Sprintf("X%02d", i), fmt.Sprintf("x%d", i), true))
	}
	return rest(1, list...)
}

func rest(number int, list ...string) string {
	return fmt.Sprintf(`{"_embedded":[%s],"pageNumber":%d,"pageSize":100,"pageCount":%d,"totalPageCount":2,"totalCount":102,
		"_links":{"self":{"href":"/negotiators/?PageNumber=%d&PageSize=100"}}}`, strings.Join(list, ","), number, len(list), number)
}

func person(id, name string, active bool) string {
	return fmt.Sprintf(`{"id":%q,"created":"2018-12-12T12:30:23.000Z","name":%q,"jobTitle":null,"officeId":"OXF","email":"%s@agency.example","active":%v,
		"diaryNegotiatorIds":[],"additionalContactDetails":null,"metadata":{},"_eTag":null,"_links":{"self":{"href":"/negotiators/%s"}},"_embedded":null}`,
		id, name, name, active, id)
}

// A list of several pages is known as a whole or not at all, and somebody who
// moved from one page to the next while it was read counts once, as last told.
func TestSeveralPages(t *testing.T) {
	crm := &book{}
	server := httptest.NewServer(crm)
	defer server.Close()
	client := reapit.New(reapit.Config{APIURL: server.URL, TokenURL: server.URL + "/oauth/token", ClientID: "c", ClientSecret: "s", APIVersion: "2020-01-31"}, nil)
	defer client.Close()
	d, _ := open(t, client, "")
	const jas, tom = `JAS`, `TOM`
	for _, c := range []struct {
		name     string
		pages    []string
		ok       bool
		jane, to string // whom the two are taken for
		count    int
	}{
		{"the second breaks off before anything is known", []string{full(person(jas, "jane", true)), ""}, false, "", "", 0},
		{"both", []string{full(person(jas, "jane", true)), rest(2, person(tom, "tom", true), person("OLD", "old", false))}, true, jas, tom, 101},
		{"the second fails", []string{full(person(jas, "someone", true)), ""}, false, jas, tom, 101},
		{"the second is a plain list", []string{full(person(jas, "someone", true)), "[" + person(tom, "tom", true) + "]"}, false, jas, tom, 101},
		{"one is on both, and left meanwhile", []string{full(person(jas, "jane", true), person(tom, "tom", true)), rest(2, person(jas, "jane", false), person("NEW", "new", true))}, true, "", tom, 100},
		{"one is on both unchanged", []string{full(person(jas, "jane", true)), rest(2, person(jas, "jane", true), person(tom, "tom", true))}, true, jas, tom, 101},
	} {
		crm.write(c.pages...)
		if err := d.Load(t.Context()); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		for name, want := range map[string]string{"jane": c.jane, "tom": c.to} {
			if id, _, reason := d.Organization("o").Negotiator(event.User{UserID: name, UserName: name + "@agency.example"}); id != want {
				t.Errorf("%s: %s is %q, want %q: %s", c.name, name, id, want, reason)
			}
		}
		if _, count, _ := loaded(d); count != c.count {
			t.Errorf("%s: %d active, want %d", c.name, count, c.count)
		}
	}
}
