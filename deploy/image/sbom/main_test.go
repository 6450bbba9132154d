package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// The bill of this test's own binary.
func TestBillListsWhatIsLinked(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := write(&first, self, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	if err := write(&second, self, "v1.2.3"); err != nil || first.String() != second.String() {
		t.Errorf("the same binary has two bills (%v)", err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&first, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.SpecVersion != cdx.SpecVersion1_6 || bom.Metadata.Component.Version != "v1.2.3" || !strings.HasPrefix(bom.Metadata.Component.Name, "ringstream/deploy/image/sbom") {
		t.Errorf("it is of %+v", bom.Metadata.Component)
	}
	if len(*bom.Components) != len(info.Deps)+1 {
		t.Errorf("%d components, %d modules", len(*bom.Components), len(info.Deps))
	}
	named := false
	for _, c := range *bom.Components {
		if c.Name == "github.com/CycloneDX/cyclonedx-go" {
			named = c.Hashes != nil && c.PackageURL == "pkg:golang/"+c.Name+"@"+c.Version
		}
		if c.Version == "" || c.Version == "(devel)" {
			t.Errorf("%s has no version", c.Name)
		}
	}
	if !named {
		t.Errorf("it does not name the library that this test uses: %+v", bom.Components)
	}
	if write(&first, "main.go", "") == nil {
		t.Error("a text has a bill")
	}
}
