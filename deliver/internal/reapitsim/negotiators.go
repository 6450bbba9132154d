package reapitsim

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed negotiators.yaml
var defaultNegotiators []byte

// Negotiator is as a person writes it; what is empty is null on the wire.
type Negotiator struct {
	ID          string    `yaml:"id" json:"id"`
	Name        string    `yaml:"name" json:"name"`
	JobTitle    string    `yaml:"jobTitle" json:"jobTitle"`
	OfficeID    string    `yaml:"officeId" json:"officeId"`
	WorkPhone   string    `yaml:"workPhone" json:"workPhone"`
	MobilePhone string    `yaml:"mobilePhone" json:"mobilePhone"`
	Email       string    `yaml:"email" json:"email"`
	Active      bool      `yaml:"active" json:"active"`
	Created     time.Time `yaml:"created" json:"created"`
	Modified    time.Time `yaml:"modified" json:"modified"`
}

// Negotiators are those of one customer.
type Negotiators []Negotiator

// Directory is each customer's negotiators; "*" holds those of a customer that is not named.
type Directory map[string]Negotiators

// DefaultDirectory gives every customer the same people, more than fit on one page of the usual size.
func DefaultDirectory() Directory {
	d, err := ReadDirectory(bytes.NewReader(defaultNegotiators))
	if err != nil {
		panic(fmt.Sprintf("embedded negotiators: %v", err)) // a test reads them
	}
	return d
}

// ReadDirectory reads YAML of the shape of the embedded negotiators.yaml.
func ReadDirectory(r io.Reader) (Directory, error) {
	d := Directory{}
	decoder := yaml.NewDecoder(r)
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("read negotiators: %w", err)
	}
	for customer, list := range d {
		if err := list.check(); err != nil {
			return nil, fmt.Errorf("negotiators of %s: %w", customer, err)
		}
		list.date(time.Date(2018, 12, 12, 12, 30, 23, 0, time.UTC))
	}
	return d, nil
}

func (l Negotiators) check() error {
	var errs []error
	seen := map[string]bool{}
	for _, n := range l {
		if !negotiatorShape.MatchString(n.ID) || seen[n.ID] {
			errs = append(errs, fmt.Errorf("id %q is missing, doubled or not 2 to 4 letters and digits", n.ID))
		}
		seen[n.ID] = true
	}
	return errors.Join(errs...)
}

// date gives dates to those that have none.
func (l Negotiators) date(at time.Time) {
	for i := range l {
		if l[i].Created.IsZero() {
			l[i].Created = at
		}
		if l[i].Modified.IsZero() {
			l[i].Modified = l[i].Created
		}
	}
}

func (l Negotiators) ids() map[string]bool {
	ids := make(map[string]bool, len(l))
	for _, n := range l {
		ids[n.ID] = true
	}
	return ids
}

func (l Negotiators) find(id string) (Negotiator, bool) {
	i := slices.IndexFunc(l, func(n Negotiator) bool { return n.ID == id })
	if i < 0 {
		return Negotiator{}, false
	}
	return l[i], true
}

func (d Directory) clone() Directory { return maps.Clone(d) }

func (s *Sim) negotiatorsOf(customer string) Negotiators {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list, ok := s.negotiators[customer]; ok {
		return list
	}
	return s.negotiators["*"]
}

func (s *Sim) replaceNegotiators(customer string, list Negotiators) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.negotiators[customer] = list
}
