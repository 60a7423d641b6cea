package telemetry

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// BuildInfo says which build is running. Every field is set: what the binary
// does not know is "unknown", and a build from a work tree is version "devel".
type BuildInfo struct {
	Version   string `json:"version"`  // module version, such as v1.2.3, or devel
	GoVersion string `json:"go"`       // such as go1.26.0
	Revision  string `json:"revision"` // VCS commit, with -dirty behind it if the work tree was modified
}

// Describe renders the build of a program on one line, as its --version prints it.
func (b BuildInfo) Describe(program string) string {
	return fmt.Sprintf("%s %s (revision %s, %s)", program, b.Version, b.Revision, b.GoVersion)
}

// version is what the linker was told with -ldflags "-X …/telemetry.version=v1.2.3", for
// builds from an archive, in which Go finds no version, and for releases. It wins over what Go found.
// revision is the same for the commit.
//
//nolint:gochecknoglobals // the linker sets no other
var version, revision string

// Build returns what the Go linker recorded about this binary.
func Build() BuildInfo { return build() }

//nolint:gochecknoglobals // read once: it does not change, and is asked for with every answer
var build = sync.OnceValue(func() BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	b := describe(info)
	if version != "" {
		b.Version = version
	}
	if revision != "" {
		b.Revision = revision
	}
	return b
})

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
