package telemetry

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	t.Parallel()

	setting := func(kv ...string) (s []debug.BuildSetting) {
		for i := 0; i < len(kv); i += 2 {
			s = append(s, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return s
	}
	tests := []struct {
		name string
		in   debug.BuildInfo
		want BuildInfo
	}{
		{
			"nothing known",
			debug.BuildInfo{},
			BuildInfo{Version: "devel", GoVersion: runtime.Version(), Revision: "unknown"},
		},
		{
			"work tree without VCS stamp",
			debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "(devel)"}},
			BuildInfo{Version: "devel", GoVersion: "go1.26.0", Revision: "unknown"},
		},
		{
			"release",
			debug.BuildInfo{
				GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"},
				Settings: setting("vcs.revision", "c0ffee", "vcs.modified", "false"),
			},
			BuildInfo{Version: "v1.2.3", GoVersion: "go1.26.0", Revision: "c0ffee"},
		},
		{
			"modified, in the other order",
			debug.BuildInfo{
				GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"},
				Settings: setting("vcs.modified", "true", "vcs.revision", "c0ffee"),
			},
			BuildInfo{Version: "v1.2.3", GoVersion: "go1.26.0", Revision: "c0ffee-dirty"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, describe(&tt.in)); diff != "" {
				t.Errorf("describe (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildInfoDescribe(t *testing.T) {
	t.Parallel()

	got := BuildInfo{Version: "v1.2.3", GoVersion: "go1.26.0", Revision: "c0ffee"}.Describe("belfry")
	if want := "belfry v1.2.3 (revision c0ffee, go1.26.0)"; got != want {
		t.Errorf("Describe = %q, want %q", got, want)
	}
}

func TestNewRegistry(t *testing.T) {
	t.Parallel()

	families, err := NewRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range families {
		seen[f.GetName()] = true
		if f.GetName() != "belfry_build_info" {
			continue
		}
		labels := map[string]string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		b := Build()
		want := map[string]string{"version": Version(), "go_version": runtime.Version(), "revision": b.Revision}
		if diff := cmp.Diff(want, labels); diff != "" {
			t.Errorf("belfry_build_info (-want +got):\n%s", diff)
		}
		if v := f.GetMetric()[0].GetGauge().GetValue(); v != 1 {
			t.Errorf("belfry_build_info = %v, want 1", v)
		}
	}
	for _, name := range []string{"belfry_build_info", "go_goroutines"} {
		if !seen[name] {
			t.Errorf("the registry has no %s", name)
		}
	}
	if runtime.GOOS == "linux" && !seen["process_open_fds"] {
		t.Error("the registry has no process_open_fds")
	}
}
