package directory_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ringstream/deliver/internal/directory"
)

const (
	orgA = "29f60000-0000-4000-8000-000000000001"
	orgB = "29f60000-0000-4000-8000-000000000002"
	orgC = "29f60000-0000-4000-8000-000000000003"
)

func TestParseTenants(t *testing.T) {
	tenants, err := directory.ParseTenants([]byte(`
# a comment
`+strings.ToUpper(orgA)+`:
  customer: SBOX
  region: ie
  negotiators: {Jane@Agency.example: TST, "0123": NO}
`+orgB+`: {customer: RES-GOGO}
`+orgC+`:
  customer: SBOX
  negotiators:
`+"    ? jane@agency.example\n    : 12\n"), "GB")
	if err != nil {
		t.Fatal(err)
	}
	if got := tenants.Customers(); !slices.Equal(got, []string{"SBOX", "RES-GOGO"}) || tenants.String() != "3 organizations, 2 customers" || tenants.Organizations("SBOX") != 2 {
		t.Errorf("%v, %s", got, tenants)
	}
	d := directory.New(&crm{}, directory.Settings{Tenants: tenants})
	for organization, want := range map[string]string{
		orgA:                  "SBOX ie map[0123:NO jane@agency.example:TST] true",
		strings.ToUpper(orgA): "SBOX ie map[0123:NO jane@agency.example:TST] true",
		orgB:                  "RES-GOGO GB map[] true",
		orgC:                  "SBOX GB map[jane@agency.example:12] true",
		"other":               " map[] false",
		"":                    " map[] false",
	} {
		o := d.Organization(organization)
		if got := fmt.Sprint(o.Customer, " ", o.Region, " ", o.Overrides, " ", o.Served); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %s, want %s", organization, got, want)
		}
	}
}

func TestWhatIsWrongInATenantsFile(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"empty":             {"", []string{"it names no organization"}},
		"only a comment":    {"# nothing\n", []string{"it names no organization"}},
		"no mapping":        {"- a\n- b\n", []string{"line 1: the file maps organization ids to"}},
		"an empty mapping":  {"{}\n", []string{"it names no organization"}},
		"no YAML":           {"a: [\n", []string{"line 1"}},
		"two documents":     {orgA + ": {customer: RES}\n---\n" + orgB + ": {customer: SBOX}\n", []string{"write one document"}},
		"no id":             {"acme: {customer: RES}\n", []string{`line 1: "acme" is no organization id; write the GUID`}},
		"nothing":           {orgA + ":\n", []string{"line 1: organization " + orgA + " is {customer: <id>}"}},
		"no customer":       {orgA + ": {region: GB}\n", []string{"line 1: organization " + orgA + " has no customer; add customer: <id>"}},
		"bad customer":      {orgA + ":\n  customer: R.S\n", []string{`line 2: "R.S" is no customer; write an id such as SBOX`}},
		"customer of lists": {orgA + ":\n  customer: [RES]\n", []string{`line 2: "" is no customer`}},
		"a null customer":   {orgA + ":\n  customer: null\n", []string{`line 2: "null" is no customer`}},
		"a null negotiator": {orgA + ":\n  customer: RES\n  negotiators:\n    jane@agency.example: null\n", []string{`line 4: "null" of jane@agency.example is no negotiator`}},
		"no region":         {orgA + ":\n  customer: RES\n  region: XX\n", []string{`line 3: "XX" is no region; write one of ISO 3166`}},
		"unknown key":       {orgA + ":\n  customer: RES\n  overrides: {}\n", []string{`line 3: key "overrides" is unknown; known are customer, region, negotiators`}},
		"bad override":      {orgA + ":\n  customer: RES\n  negotiators:\n    jane@agency.example: T\n", []string{`line 4: "T" of jane@agency.example is no negotiator; an id is 2 to 4`}},
		"override of none":  {orgA + ":\n  customer: RES\n  negotiators: {\"\": TST}\n", []string{"line 3: this override names no user"}},
		"overrides listed":  {orgA + ":\n  customer: RES\n  negotiators: [jane=TST]\n", []string{"line 3: negotiators maps user names"}},
		"override doubled":  {orgA + ":\n  customer: RES\n  negotiators:\n    jane: TST\n    JANE: TOM\n", []string{"line 5: JANE stands in line 4 already; keep one of them"}},
		"doubled":           {orgA + ": {customer: RES}\n" + strings.ToUpper(orgA) + ": {customer: RES}\n", []string{"line 2: " + strings.ToUpper(orgA) + " stands in line 1 already"}},
		"another casing":    {orgA + ": {customer: RES}\n" + orgB + ": {customer: Res}\n", []string{"line 2: customer Res is written RES in line 1; write it alike"}},
		"everything at once": {orgA + ":\n  customer: R S\n  region: XX\n  negotiators: {jane: 12345}\n  more: 1\nacme: {}\n", []string{
			`line 2: "R S"`, `line 3: "XX"`, `line 4: "12345" of jane`, `line 5: key "more"`, `line 6: "acme"`, `line 6: organization acme has no customer`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := directory.ParseTenants([]byte(c.file), "GB")
			if err == nil {
				t.Fatal("it is accepted")
			}
			told := strings.Split(err.Error(), "\n")
			if len(told) != len(c.want) {
				t.Errorf("told: %q", told)
			}
			for i, want := range c.want {
				if i < len(told) && !strings.Contains(told[i], want) {
					t.Errorf("%q does not say %q", told[i], want)
				}
			}
		})
	}
}

// What the README shows can be used.
func TestTheReadmesTenants(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, behind, found := strings.Cut(string(readme), "TENANTS_FILE` names a file")
	_, behind, fenced := strings.Cut(behind, "```yaml\n")
	example, _, ended := strings.Cut(behind, "```")
	if !found || !fenced || !ended {
		t.Fatal("there is none")
	}
	parsed, err := directory.ParseTenants([]byte(example), "GB")
	if err != nil || parsed.String() != "2 organizations, 2 customers" || len(parsed.Overrides("RES-GOGO")) != 2 {
		t.Errorf("%s, %v", parsed, err)
	}
}
