package program

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Version says which build is running; /version shows it as JSON.
type Version struct {
	Program  string `json:"program"`
	Version  string `json:"version"`            // of the module, or "(devel)"
	Revision string `json:"revision,omitempty"` // of the source, where the build knew it
	Dirty    bool   `json:"dirty"`              // built from changed sources
	Go       string `json:"go"`
}

// ReadVersion takes from the binary what the Go toolchain wrote into it.
func ReadVersion(name string) Version {
	v := Version{Program: name, Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
	return v
}

func (v Version) String() string {
	parts := []string{v.Program, v.Version}
	if v.Revision != "" {
		parts = append(parts, v.Revision)
	}
	if v.Dirty {
		parts = append(parts, "dirty")
	}
	return strings.Join(append(parts, v.Go), " ")
}
