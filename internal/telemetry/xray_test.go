package telemetry_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// TestXRay: a position goes through an AWS service and comes back the same, but for the flag
// that AWS does not know.
func TestXRay(t *testing.T) {
	t.Parallel()
	for _, sampled := range []bool{true, false} {
		tp := telemetry.NewTraceParent(sampled)
		got, err := telemetry.ParseXRay(tp.XRay())
		tp.Flags &^= telemetry.FlagRandom
		if err != nil || got != tp {
			t.Errorf("%s: %v, %v", tp.XRay(), got, err)
		}
	}
	const header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	tp, err := telemetry.ParseXRay(header + ";Lineage=a:1")
	if err != nil || tp.String() != "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01" || tp.XRay() != header {
		t.Errorf("%s, %v", tp, err)
	}
	for _, bad := range []string{
		"", "Root", "Root=1-5759e988-bd862e3fe1be46a994272793", "Parent=53995c3f42cd8ad8",
		"Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
		"Root=1-5759e988-bd862e3fe1be46a99427279Z;Parent=53995c3f42cd8ad8", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8a",
		"Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8", "Root=1_5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
	} {
		if tp, err := telemetry.ParseXRay(bad); err == nil {
			t.Errorf("%q is read as %s", bad, tp)
		}
	}
}
