package directory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ringstream/deliver/internal/reapit"
)

// Tenant is what an organization is to Reapit.
type Tenant struct {
	Customer  string
	Region    string // of its national numbers
	Overrides Overrides
}

func (t Tenant) same(other Tenant) bool {
	return t.Customer == other.Customer && t.Region == other.Region && maps.Equal(t.Overrides, other.Overrides)
}

// Tenants says which organizations are customers of Reapit's.
type Tenants struct {
	one       *Tenant           // for every organization
	of        map[string]Tenant // or by organization, in lower case
	customers []string          // each once
}

// Single is one tenant for all organizations.
func Single(t Tenant) Tenants {
	if t.Customer == "" {
		return Tenants{}
	}
	return Tenants{one: &t, customers: []string{t.Customer}}
}

func (t Tenants) find(organizationID string) (Tenant, bool) {
	if t.one != nil {
		return *t.one, true
	}
	found, ok := t.of[normal(organizationID)]
	return found, ok
}

// Customers lists each customer once, in the order of the file.
func (t Tenants) Customers() []string { return slices.Clone(t.customers) }

// Overrides are those of all organizations of a customer.
func (t Tenants) Overrides(customer string) Overrides {
	all := Overrides{}
	if t.one != nil && t.one.Customer == customer {
		maps.Copy(all, t.one.Overrides)
	}
	for _, found := range t.of {
		if found.Customer == customer {
			maps.Copy(all, found.Overrides)
		}
	}
	return all
}

// Organizations counts those of a customer.
func (t Tenants) Organizations(customer string) (n int) {
	for _, found := range t.of {
		if found.Customer == customer {
			n++
		}
	}
	return n
}

// String counts them.
func (t Tenants) String() string {
	return fmt.Sprintf("%d organizations, %d customers", len(t.of), len(t.customers))
}

var errNoTenant = errors.New(`it names no organization; expected <organization id>: {customer: RES}`)

// ParseTenants reads a tenants file: organization id to customer and, where they
// are wanted, region and negotiators. It names everything that is wrong, each
// with its line.
func ParseTenants(content []byte, region string) (Tenants, error) {
	file, err := document(content)
	if err != nil {
		return Tenants{}, err
	}
	r := reader{region: region, tenants: Tenants{of: map[string]Tenant{}}, lines: map[string]int{}}
	r.mapping(file.Content[0], "the file maps organization ids to {customer, region, negotiators}", r.organization)
	if len(r.tenants.of)+len(r.wrong) == 0 {
		return Tenants{}, errNoTenant
	}
	return r.tenants, errors.Join(r.wrong...)
}

// document is the one document of a file.
func document(content []byte) (yaml.Node, error) {
	var file, further yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(content))
	switch err := d.Decode(&file); {
	case errors.Is(err, io.EOF) || err == nil && len(file.Content) == 0:
		return file, errNoTenant
	case err != nil:
		return file, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(&further); !errors.Is(err, io.EOF) {
		return file, fmt.Errorf("line %d: something stands behind the end of the document; write one document", max(further.Line, 1))
	}
	return file, nil
}

// reader collects what a file says and what is wrong with it.
type reader struct {
	region  string
	tenants Tenants
	lines   map[string]int // of the first mention of a customer
	wrong   []error
}

func (r *reader) report(at *yaml.Node, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("line %d: "+format, append([]any{at.Line}, args...)...))
}

// mapping goes through the pairs of one, and refuses a key that comes again.
func (r *reader) mapping(node *yaml.Node, expected string, each func(key, value *yaml.Node)) {
	node = plain(node)
	if node.Kind != yaml.MappingNode {
		r.report(node, "%s", expected)
		return
	}
	first := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		key := plain(node.Content[i])
		name := normal(key.Value)
		if line, again := first[name]; again {
			r.report(key, "%s stands in line %d already; keep one of them", key.Value, line)
			continue
		}
		first[name] = key.Line
		each(key, plain(node.Content[i+1]))
	}
}

// plain is what an alias stands for.
func plain(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (r *reader) organization(key, value *yaml.Node) {
	id := normal(key.Value)
	if key.Kind != yaml.ScalarNode || !organizationID.MatchString(id) {
		r.report(key, "%q is no organization id; write the GUID that RTE has for it, as in calls.<organization>", key.Value)
	}
	t, before := Tenant{Region: r.region, Overrides: Overrides{}}, len(r.wrong)
	r.mapping(value, "organization "+key.Value+" is {customer: <id>} and, where wanted, region and negotiators", func(k, v *yaml.Node) {
		switch k.Value {
		case "customer":
			t.Customer = r.customer(v)
		case "region":
			t.Region = r.numbers(v)
		case "negotiators":
			r.mapping(v, "negotiators maps user names or ids to negotiator ids, such as user@agency.example: TST", func(k, v *yaml.Node) {
				r.override(t.Overrides, k, v)
			})
		default:
			r.report(k, "key %q is unknown; known are customer, region, negotiators", k.Value)
		}
	})
	if t.Customer == "" && len(r.wrong) == before {
		r.report(key, "organization %s has no customer; add customer: <id>, such as SBOX or RES-GOGO", key.Value)
	}
	r.tenants.of[id] = t
	if t.Customer != "" && !slices.Contains(r.tenants.customers, t.Customer) {
		r.tenants.customers = append(r.tenants.customers, t.Customer)
	}
}

// named tells an id from what a template has left empty: null has the form of one.
func named(v *yaml.Node) bool { return v.Kind == yaml.ScalarNode && v.ShortTag() != "!!null" }

func (r *reader) customer(v *yaml.Node) string {
	if !named(v) || !reapit.ValidCustomer(v.Value) {
		r.report(v, "%q is no customer; write an id such as SBOX or RES-GOGO", v.Value)
		return ""
	}
	for known, line := range r.lines {
		if known != v.Value && strings.EqualFold(known, v.Value) {
			r.report(v, "customer %s is written %s in line %d; write it alike, as Reapit does", v.Value, known, line)
		}
	}
	if r.lines[v.Value] == 0 {
		r.lines[v.Value] = v.Line
	}
	return v.Value
}

func (r *reader) numbers(v *yaml.Node) string {
	if v.Kind != yaml.ScalarNode || !reapit.KnownRegion(v.Value) {
		r.report(v, "%q is no region; write one of ISO 3166, such as GB, or leave it out for NUMBER_REGION", v.Value)
	}
	return v.Value
}

func (r *reader) override(o Overrides, k, v *yaml.Node) {
	user := normal(k.Value)
	switch {
	case k.Kind != yaml.ScalarNode || user == "":
		r.report(k, "this override names no user; write a user name or id, such as user@agency.example: TST")
	case !named(v) || !negotiatorID.MatchString(v.Value):
		r.report(v, "%q of %s is no negotiator; an id is 2 to 4 letters and digits", v.Value, k.Value)
	default:
		o[user] = v.Value
	}
}
