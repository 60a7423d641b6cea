package telemetry_test

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// A server continues its caller's trace, or begins one.
func ExampleParseTraceParent() {
	header := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

	tp, err := telemetry.ParseTraceParent(header)
	if err != nil {
		tp = telemetry.NewTraceParent(false)
	}
	fmt.Println("sampled:", tp.Sampled())
	fmt.Println("same trace:", tp.Child().TraceID == tp.TraceID)
	// Output:
	// sampled: true
	// same trace: true
}
