package reapitsim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

type link struct {
	Href string `json:"href"`
}

// negotiatorBody has the properties of the published schema, in its order.
type negotiatorBody struct {
	ID                       string          `json:"id"`
	Created                  string          `json:"created"`
	Modified                 string          `json:"modified"`
	Name                     string          `json:"name"`
	JobTitle                 *string         `json:"jobTitle"`
	OfficeID                 *string         `json:"officeId"`
	WorkPhone                *string         `json:"workPhone"`
	MobilePhone              *string         `json:"mobilePhone"`
	Email                    *string         `json:"email"`
	ProfileImageURL          *string         `json:"profileImageUrl"`
	Active                   bool            `json:"active"`
	DiaryNegotiatorIDs       []string        `json:"diaryNegotiatorIds"`
	DiaryOfficeIDs           []string        `json:"diaryOfficeIds"`
	AdditionalContactDetails []struct{}      `json:"additionalContactDetails"`
	Metadata                 struct{}        `json:"metadata"`
	ETag                     string          `json:"_eTag"`
	Links                    map[string]link `json:"_links"`
	Embedded                 map[string]any  `json:"_embedded"`
}

type page struct {
	Embedded       []negotiatorBody `json:"_embedded"`
	PageNumber     int              `json:"pageNumber"`
	PageSize       int              `json:"pageSize"`
	PageCount      int              `json:"pageCount"`
	TotalPageCount int              `json:"totalPageCount"`
	TotalCount     int              `json:"totalCount"`
	Links          map[string]link  `json:"_links"`
}

// negotiatorID is the id in the path of one negotiator, with or without a last slash.
func negotiatorID(path string) string {
	id, below := strings.CutPrefix(path, "/negotiators/")
	if id = strings.TrimSuffix(id, "/"); !below || strings.Contains(id, "/") {
		return ""
	}
	return id
}

func (s *Sim) oneNegotiator(x *exchange) answer {
	n, ok := s.negotiatorsOf(x.customer).find(negotiatorID(x.r.URL.Path))
	if !ok {
		return apiError(s.now(), http.StatusNotFound, "The resource could not be found")
	}
	body := n.body(x)
	a := jsonAnswer(http.StatusOK, body)
	a.header["ETag"] = body.ETag
	return a
}

func (s *Sim) listNegotiators(x *exchange) answer {
	q, err := readQuery(x.r.URL.Query())
	if err != nil {
		return apiError(s.now(), http.StatusBadRequest, err.Error())
	}
	found := q.filter(s.negotiatorsOf(x.customer))
	p := page{
		Embedded: []negotiatorBody{}, PageNumber: q.number, PageSize: q.size,
		TotalPageCount: (len(found) + q.size - 1) / q.size, TotalCount: len(found),
	}
	for i := (q.number - 1) * q.size; i < min(q.number*q.size, len(found)); i++ {
		p.Embedded = append(p.Embedded, found[i].body(x))
	}
	p.PageCount, p.Links = len(p.Embedded), q.links(x.knobs.LinkPrefix, p.TotalPageCount)
	return jsonAnswer(http.StatusOK, p)
}

func (n Negotiator) body(x *exchange) negotiatorBody {
	opt := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	const shape = "2006-01-02T15:04:05.000Z"
	b := negotiatorBody{
		ID: n.ID, Created: n.Created.UTC().Format(shape), Modified: n.Modified.UTC().Format(shape), Name: n.Name,
		JobTitle: opt(n.JobTitle), OfficeID: opt(n.OfficeID), WorkPhone: opt(n.WorkPhone), MobilePhone: opt(n.MobilePhone),
		Email: opt(n.Email), Active: n.Active, DiaryNegotiatorIDs: []string{}, DiaryOfficeIDs: []string{}, ETag: n.eTag(),
		Links: map[string]link{"self": {x.knobs.LinkPrefix + "/negotiators/" + n.ID}},
	}
	if n.OfficeID != "" {
		b.Links["office"] = link{x.knobs.LinkPrefix + "/offices/" + n.OfficeID}
		if slices.Contains(x.r.URL.Query()["embed"], "office") {
			b.Embedded = map[string]any{"office": map[string]string{"id": n.OfficeID}}
		}
	}
	return b
}

// eTag has its quotation marks in the header and in the body.
func (n Negotiator) eTag() string {
	b, _ := json.Marshal(n) // plain fields
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}
