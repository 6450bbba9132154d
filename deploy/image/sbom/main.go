// Command sbom writes what a Go binary is made of as CycloneDX, from what the
// toolchain wrote into it: no more than was linked, and the same for the same binary.
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	version := flag.String("version", "unknown", "of the program")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sbom [-version v] binary")
		os.Exit(2)
	}
	if err := write(os.Stdout, flag.Arg(0), *version); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(out io.Writer, binary, version string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	return cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bill(info, version), cdx.SpecVersion1_6)
}

// bill lists the modules, with those that stand in for others in their place, and
// the standard library.
func bill(info *buildinfo.BuildInfo, version string) *cdx.BOM {
	program := cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: info.Path, Version: version, BOMRef: reference(info.Path, version),
		PackageURL: reference(info.Path, version), Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}
	parts := []cdx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, module := range info.Deps {
		used := *module
		if module.Replace != nil {
			used = replacement(*module, version)
		}
		parts = append(parts, library(used.Path, used.Version, used.Sum))
	}
	var needs []string
	for _, p := range parts {
		needs = append(needs, p.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &program}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: program.BOMRef, Dependencies: &needs}}
	return bom
}

// replacement is a module that stands in for another; one of this repository, which
// a path names, has its version.
func replacement(module debug.Module, version string) debug.Module {
	if path.IsAbs(module.Replace.Path) || strings.HasPrefix(module.Replace.Path, ".") {
		return debug.Module{Path: module.Path, Version: version}
	}
	return *module.Replace
}

func library(name, version, sum string) cdx.Component {
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: name, Version: version, BOMRef: reference(name, version), PackageURL: reference(name, version)}
	// A Go checksum is SHA-256 in base64, of a list of the module's files.
	if digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(digest) > 0 {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(digest)}}
	}
	return c
}

func reference(name, version string) string { return "pkg:golang/" + name + "@" + version }
