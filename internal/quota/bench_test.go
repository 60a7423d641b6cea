package quota_test

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/quota/quotatest"
)

// What the door's check costs with all quotas set, of what is leased, and what the fields of the answer do.
func BenchmarkAdmit(b *testing.B) {
	var plenty int64 = 1_000_000_000
	in := quotatest.Start(b, &documenttest.Memory{}, "i", access.Settings{
		RequestsPerSecond: &plenty, KeyRequestsPerSecond: &plenty, NotificationsPerMinute: &plenty, RecipientsPerDay: &plenty,
		QueuedRecipients: &plenty,
	}, time.Now)
	defer in.Stop()
	caller := access.Caller{Tenant: "acme", Name: "key:0123456789ab"}
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := in.Admit(b.Context(), &caller); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fields", func(b *testing.B) {
		fields, err := in.Admit(b.Context(), &caller)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			fields()
		}
	})
}
