package reapitsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ringstream/deliver/internal/reapitsim"
)

type pageBody struct {
	Embedded []struct {
		ID     string
		Active bool
		ETag   string `json:"_eTag"`
	} `json:"_embedded"`
	PageNumber, PageSize, PageCount, TotalPageCount, TotalCount int
	Links                                                       map[string]struct{ Href string } `json:"_links"`
}

func (w *world) page(query string) (p pageBody) {
	w.t.Helper()
	w.decode(w.platform(http.MethodGet, "/negotiators/"+query, ""), http.StatusOK, &p)
	return p
}

func TestPaging(t *testing.T) {
	for _, c := range []struct {
		query                             string
		number, size, count, pages, total int
		links                             string
	}{
		{"", 1, 25, 25, 2, 34, "first last next self"},
		{"?pageNumber=2", 2, 25, 9, 2, 34, "first last self"},
		{"?pageNumber=3", 3, 25, 0, 2, 34, "first last self"},
		{"?pageSize=100", 1, 100, 34, 1, 34, "first last self"},
		{"?pageSize=17&pageNumber=2", 2, 17, 17, 2, 34, "first last self"},
		{"?pageSize=1&pageNumber=34", 34, 1, 1, 34, 34, "first last self"},
		{"?pageNumber=2147483647&pageSize=100", 2147483647, 100, 0, 1, 34, "first last self"},
		{"?email=nobody@agency.example", 1, 25, 0, 0, 0, "first last self"},
	} {
		t.Run(c.query, func(t *testing.T) {
			p := newWorld(t).page(c.query)
			got := []int{p.PageNumber, p.PageSize, p.PageCount, p.TotalPageCount, p.TotalCount}
			want := []int{c.number, c.size, c.count, c.pages, c.total}
			if fmt.Sprint(got) != fmt.Sprint(want) || len(p.Embedded) != c.count {
				t.Errorf("%v, want %v (%d embedded)", got, want, len(p.Embedded))
			}
			for _, name := range strings.Fields(c.links) {
				if p.Links[name].Href == "" {
					t.Errorf("no link %s", name)
				}
			}
			if len(p.Links) != len(strings.Fields(c.links)) {
				t.Errorf("links %v", p.Links)
			}
		})
	}
}

func TestEveryNegotiatorIsOnExactlyOnePage(t *testing.T) {
	w := newWorld(t)
	seen := map[string]int{}
	for n := 1; n <= 5; n++ {
		for _, e := range w.page(fmt.Sprintf("?pageSize=7&pageNumber=%d", n)).Embedded {
			seen[e.ID]++
		}
	}
	if len(seen) != 34 {
		t.Errorf("%d negotiators", len(seen))
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s %d times", id, times)
		}
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"rate":0}`)
	for query, want := range map[string]string{
		"?id=TOM&id=JAS":                            "JAS TOM",
		"?email=tom@agency.example":                 "TOM TOX",
		"?email=TOM@agency.example":                 "TOM TOX",
		"?email=tom@agency":                         "",
		"?email=tom@agency.example&active=true":     "TOM",
		"?active=false":                             "EVE KIM RAY TOX",
		"?name=khan":                                "ALI",
		"?officeId=LON&sortBy=-name&pageSize=2":     "ZOE ZZ99",
		"?officeId=LON&sortBy=name&pageSize=2":      "SAM TIM",
		"?sortBy=officeId&pageSize=1":               "SAM",
		"?createdFrom=2019-01-01":                   "",
		"?modifiedTo=2018-01-01T00:00:00Z":          "",
		"?modifiedFrom=2018-01-01T00:00:00Z&id=JAS": "JAS",
	} {
		var ids []string
		for _, e := range w.page(query).Embedded {
			ids = append(ids, e.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, bad := range []string{"pageSize=0", "pageSize=x", "pageNumber=0", "pageNumber=-1", "active=perhaps", "modifiedFrom=2018-01-01T00:00:00", "createdTo=x"} {
		w.want(w.platform(http.MethodGet, "/negotiators/?"+bad, ""), http.StatusBadRequest)
	}
}

func TestNegotiatorBodies(t *testing.T) {
	w := newWorld(t)
	golden(t, "200-page.json", w.platform(http.MethodGet, "/negotiators?id=JAS&id=ADV&pageSize=1&embed=office", "").body)
	golden(t, "200-page-prefixed.json", func() string {
		w.knobs(`{"linkPrefix":"/api"}`)
		return w.platform(http.MethodGet, "/negotiators/?email=ali@agency.example", "").body
	}())
	w.control(http.MethodDelete, "knobs", "", nil)
	got := w.platform(http.MethodGet, "/negotiators/JAS", "")
	golden(t, "200-negotiator.json", got.body)
	if tag := w.page("?id=JAS").Embedded[0].ETag; tag == "" || got.header.Get("ETag") != tag {
		t.Errorf("ETag %q, in the page %q", got.header.Get("ETag"), tag)
	}
	if again := w.platform(http.MethodGet, "/negotiators/JAS/", ""); again.body != got.body {
		t.Errorf("with a slash: %s", again.body)
	}
}

func TestReplacedNegotiators(t *testing.T) {
	w := newWorld(t)
	w.control(http.MethodPut, "negotiators/SBOX", `[{"id":"NEW","name":"New Comer","email":"new@agency.example","active":true}]`, nil)
	if p := w.page(""); p.TotalCount != 1 || p.Embedded[0].ID != "NEW" {
		t.Errorf("%+v", p)
	}
	w.want(w.platform(http.MethodGet, "/negotiators/NEW", "", header("reapit-customer", "RES")), http.StatusNotFound)
	w.want(w.do(http.MethodPut, "/control/negotiators/SBOX", `[{"id":"TOOLONG"}]`), http.StatusBadRequest)
	w.control(http.MethodPost, "reset", "", nil)
	w.token = w.newToken()
	if p := w.page(""); p.TotalCount != 34 {
		t.Errorf("after reset: %d", p.TotalCount)
	}
}

func TestReadDirectory(t *testing.T) {
	d, err := reapitsim.ReadDirectory(strings.NewReader("RES:\n  - {id: AB1, name: Ann, active: true}\n"))
	if err != nil || len(d["RES"]) != 1 || d["RES"][0].Created.IsZero() {
		t.Errorf("%v, %v", d, err)
	}
	for _, bad := range []string{"RES:\n  - {id: A}", "RES:\n  - {id: AB}\n  - {id: AB}", "RES:\n  - {id: AB, phone: 1}", "- x"} {
		if _, err := reapitsim.ReadDirectory(strings.NewReader(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
