package program

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// What the build says of itself by -ldflags "-X ringstream/schemas/program.version=…";
// see the Makefile. Builds of a workspace are not stamped by the toolchain.
var (
	version  string
	revision string // a trailing "-dirty" means changed sources
)

const (
	unknown = "unknown"
	dirty   = "-dirty"
)

// Version says which build is running; /version shows it as JSON.
type Version struct {
	Program  string `json:"program"`
	Version  string `json:"version"`  // of the build, or "unknown"
	Revision string `json:"revision"` // of the source, or "unknown"
	Dirty    bool   `json:"dirty"`    // built from changed sources
	Go       string `json:"go"`
}

// ReadVersion tells what the build says of itself, or else what the Go
// toolchain wrote into the binary.
func ReadVersion(name string) Version {
	v := Version{Program: name, Version: unknown, Revision: unknown, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.stamped(info)
	}
	v.told(version, revision)
	return v
}

// stamped takes what the toolchain wrote. "(devel)" tells nobody anything.
func (v *Version) stamped(info *debug.BuildInfo) {
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
}

func (v *Version) told(version, revision string) {
	if version != "" {
		v.Version = version
	}
	if revision != "" {
		v.Revision, v.Dirty = strings.CutSuffix(revision, dirty)
	}
}

func (v Version) String() string {
	parts := []string{v.Program, v.Version}
	switch {
	case v.Revision != unknown:
		parts = append(parts, v.Revision)
	case v.Version == unknown:
		parts = append(parts, "(built without version control)")
	}
	if v.Dirty {
		parts = append(parts, "dirty")
	}
	return strings.Join(append(parts, v.Go), " ")
}
