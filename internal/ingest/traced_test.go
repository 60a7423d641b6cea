package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/telemetry"
	spans "github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/worker"
)

// kept keeps every span's name and fault.
type kept struct{ told []string }

func (*kept) Sample([16]byte, telemetry.TraceParent) bool { return true }
func (*kept) Spare(spans.Result) bool                     { return true }
func (k *kept) Record(e *spans.Ended)                     { k.told = append(k.told, strings.TrimSpace(e.Name+" "+e.Fault)) }

// An event's span goes on where the event's trace does, its notification continues from the
// span, and a refused event says why.
func TestEventsAreTraced(t *testing.T) {
	t.Parallel()
	r := setup(t)
	k := &kept{}
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log).Traced(spans.New(k, time.Now))
	for _, body := range []string{event("1", hello), event("2", `{"to":{"tokens":["t"]}}`)} {
		e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(body)}, nil)
	}
	want := []string{"process events", "process events payload.invalid"}
	if diff := cmp.Diff(want, k.told); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	ns := r.recorded()
	if len(ns) != 1 {
		t.Fatalf("%d recorded", len(ns))
	}
	if got, from := ns[0].TraceParent, trace; got == from || !strings.HasPrefix(got, from[:len("00-")+32]) {
		t.Errorf("the notification continues at %s, its event at %s", got, from)
	}
}
