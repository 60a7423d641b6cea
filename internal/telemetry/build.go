package telemetry

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// BuildInfo says which build is running. Every field is set: what the binary
// does not know is "unknown", and a build from a work tree is version "devel".
type BuildInfo struct {
	Version   string // module version, such as v1.2.3, or devel
	GoVersion string // such as go1.26.0
	Revision  string // VCS commit, with -dirty behind it if the work tree was modified
}

// String renders the build on one line, as a --version flag prints it.
func (b BuildInfo) String() string {
	return fmt.Sprintf("belfry %s (revision %s, %s)", b.Version, b.Revision, b.GoVersion)
}

// Build reads what the Go linker recorded about this binary.
func Build() BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describe(info)
}

// Version is the version of this binary, such as v1.2.3, or devel.
func Version() string {
	return Build().Version
}

func describe(info *debug.BuildInfo) BuildInfo {
	b := BuildInfo{Version: info.Main.Version, GoVersion: info.GoVersion, Revision: "unknown"}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	if b.GoVersion == "" {
		b.GoVersion = runtime.Version()
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if dirty {
		b.Revision += "-dirty"
	}
	return b
}
