package program

import (
	"runtime/debug"
	"testing"
)

func TestVersionSaysWhatIsKnownOfTheBuild(t *testing.T) {
	stamp := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	for _, tt := range []struct {
		name              string
		info              *debug.BuildInfo
		version, revision string // by -ldflags
		want              string
	}{
		{"nothing", stamp("(devel)"), "", "", "ingest unknown (built without version control) go"},
		{"by the toolchain", stamp("v1.2.0", debug.BuildSetting{Key: "vcs.revision", Value: "c0de"}), "", "", "ingest v1.2.0 c0de go"},
		{"changed sources", stamp("v1.2.1-0", debug.BuildSetting{Key: "vcs.revision", Value: "c0de"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "", "", "ingest v1.2.1-0 c0de dirty go"},
		{"by the Makefile", stamp("(devel)"), "v1.2.0", "c0de", "ingest v1.2.0 c0de go"},
		{"changed, by the Makefile", stamp("(devel)"), "v1.2.0-3-gc0de", "c0de-dirty", "ingest v1.2.0-3-gc0de c0de dirty go"},
		{"of a module", stamp("v1.2.0"), "", "", "ingest v1.2.0 go"},
	} {
		v := Version{Program: "ingest", Version: unknown, Revision: unknown, Go: "go"}
		v.stamped(tt.info)
		v.told(tt.version, tt.revision)
		if v.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, v, tt.want)
		}
	}
}
