package fanout_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// BenchmarkPlan is the room's own share of planning a page: everything but the
// ledger, the registry, the pages and the queues. The registry's cache knows all
// addresses but in the first round.
func BenchmarkPlan(b *testing.B) {
	const n = 3000
	r := setup(b)
	r.batch(b, tokens(1, n))
	task := wire.Task{Op: wire.OpPlan, Notification: batID, Page: 0}
	for _, rcp := range tokens(1, n) {
		id := push.DerivedID(push.PrefixDevice, "acme", rcp.Address.Value.Reveal())
		r.devices.SetDevice(push.Device{Tenant: "acme", ID: id, Address: rcp.Address, State: push.DeviceActive})
	}
	b.ReportAllocs()
	for b.Loop() {
		for ref := range r.ledger.AllLines() {
			r.ledger.ForgetLine(ref)
		}
		r.bulk.TakeAll()
		if v := r.handle(task); v.word != "ack" || r.bulk.Len() == 0 {
			b.Fatalf("%+v, %d chunks", v, r.bulk.Len())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/recipient")
}
