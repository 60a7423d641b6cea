package fanout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

// device makes a device; "-" before the address: in quarantine.
func (r *rig) device(id push.ID, user, value string, seen time.Time) {
	d := push.Device{Tenant: "acme", ID: id, UserID: user, State: push.DeviceActive, LastSuccessAt: seen}
	if value[0] == '-' {
		d.State, value = push.DeviceQuarantined, value[1:]
	}
	d.Address = token(value)
	r.devices.SetDevice(d)
}

func TestTargets(t *testing.T) {
	t.Parallel()
	const open, none, twice, ill = push.CodeOpen, push.CodeNoDevice, push.CodeDuplicate, push.CodeDeviceQuarantined
	row := func(line int64, kind push.Kind, value, user string, id push.ID, renew bool) push.Recipient {
		return push.Recipient{Address: push.Address{Kind: kind, Value: push.Token(value)}, Line: line, UserID: user, DeviceID: id, Renew: renew}
	}
	unknown := func(line int64, kind push.Kind, value string) push.Recipient {
		return push.Recipient{Address: push.Address{Kind: kind, Value: push.Token(value)}, Line: line, Unknown: true}
	}
	for _, c := range []struct {
		name  string
		to    push.Target
		cells []push.Code
		want  []push.Recipient // in the message
	}{
		{
			"tokens, known and not",
			push.Target{Tokens: []push.Token{"fresh", "stale", "new", "ill", "fresh"}},
			[]push.Code{open, open, open, ill, twice},
			[]push.Recipient{
				row(1, push.KindToken, "fresh", "", "", false), row(2, push.KindToken, "stale", "", "", true),
				unknown(3, push.KindToken, "new"),
			},
		},
		{
			"installations",
			push.Target{FIDs: []push.Token{"fid-1", "fid-2"}},
			[]push.Code{open, open},
			[]push.Recipient{unknown(1, push.KindFID, "fid-1"), unknown(2, push.KindFID, "fid-2")},
		},
		{
			"users with several devices, one and none",
			push.Target{UserIDs: []string{"nobody", "ann", "bob"}},
			[]push.Code{none, open, open, ill, open},
			[]push.Recipient{
				row(2, push.KindToken, "fresh", "ann", "d1", false), row(2, push.KindToken, "stale", "ann", "d2", true),
				row(3, push.KindToken, "bobs", "bob", "d4", false),
			},
		},
		{
			"a user twice",
			push.Target{UserIDs: []string{"bob", "bob"}},
			[]push.Code{open, twice},
			[]push.Recipient{row(1, push.KindToken, "bobs", "bob", "d4", false)},
		},
		{
			"devices, known and not",
			push.Target{DeviceIDs: []push.ID{"d4", "dX", "d3"}},
			[]push.Code{open, none, ill},
			[]push.Recipient{row(1, push.KindToken, "bobs", "", "d4", false)},
		},
		{
			"a topic",
			push.Target{Topic: "news"},
			[]push.Code{open},
			[]push.Recipient{row(1, push.KindTopic, "news", "", "", false)},
		},
		{
			"a condition",
			push.Target{Condition: "'a' in topics && 'b' in topics"},
			[]push.Code{open},
			[]push.Recipient{row(1, push.KindCondition, "'a' in topics && 'b' in topics", "", "", false)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.device("d1", "ann", "fresh", t0.Add(-time.Hour))
			r.device("d2", "ann", "stale", t0.Add(-push.SuccessGrain-time.Hour))
			r.device("d3", "ann", "-ill", t0)
			r.device("d4", "bob", "bobs", t0)
			n := r.accept(c.to)
			r.previews(t, &n, c.cells)
			if checks := r.run(t, n.ID); len(checks) != 0 {
				t.Errorf("%d checks of a notification that deliver completes", len(checks))
			}
			chunks := chunks(r.high)
			if len(chunks) != 1 || r.bulk.Len() != 0 || r.high.Peek(0).Group != "acme" {
				t.Fatalf("%d chunks", len(chunks))
			}
			if diff := cmp.Diff(c.want, chunks[0].Recipients); diff != "" {
				t.Errorf("recipients (-want +got):\n%s", diff)
			}
			line := r.line(chunks[0].Ref)
			var cells []push.Code
			for _, cell := range line.Cells {
				cells = append(cells, cell.Code())
			}
			if diff := cmp.Diff(c.cells, cells); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
			for i, cell := range chunks[0].Index {
				if hash := r.plans()[line.Ref].Hashes[cell]; hash != chunks[0].Recipients[i].Address.Hash() || !line.Cells[cell].Open() {
					t.Errorf("row %d has the cell %d of somebody else", i, cell)
				}
			}
			counts, err := r.ledger.Counts(t.Context(), n.ID)
			if err != nil || counts.Sources != n.Progress.Sources || counts.PagesPlanned != 1 || counts.Balance(n.Progress.Sources) != nil {
				t.Errorf("%d of %d sources, %d pages planned (%v)", counts.Sources, n.Progress.Sources, counts.PagesPlanned, err)
			}
			if r.metric(t, "belfry_recipients_planned_total") != float64(len(c.cells)) ||
				r.metric(t, "outcomes") != float64(len(c.cells)-len(c.want)) {
				t.Error("counted wrong")
			}
		})
	}
}

// TestNothingToSend: a notification that planning gives every outcome is
// complete at once.
func TestNothingToSend(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.accept(push.Target{UserIDs: []string{"nobody"}})
	r.run(t, n.ID)
	if got := r.head(n.ID).Progress; got.State != push.StateCompleted || !got.Enqueued || !got.CompletedAt.Equal(t0) {
		t.Errorf("progress %+v", got)
	}
	r.run(t, n.ID)
	if len(r.done) != 1 || r.high.Len() != 0 {
		t.Errorf("completion told %d times, %d chunks sent", len(r.done), r.high.Len())
	}
}

// TestUnknown: what the registry does not know is marked for deliver to have it
// remembered, and nothing is written.
func TestUnknown(t *testing.T) {
	t.Parallel()
	for _, record := range []bool{true, false} {
		r := setup(t)
		r.unknowns = record
		r.restart(t)
		r.device("d1", "", "known", t0)
		n := r.accept(push.Target{Tokens: []push.Token{"known", "unknown", "unknown"}})
		r.run(t, n.ID)
		if all := r.devices.AllDevices(); len(all) != 1 {
			t.Errorf("record unknown %t: %d devices after planning", record, len(all))
		}
		chunk := chunks(r.high)[0]
		if known, unknown := chunk.Recipients[0], chunk.Recipients[1]; known.Unknown || unknown.Unknown != record || unknown.Renew {
			t.Errorf("record unknown %t: %+v and %+v", record, known, unknown)
		}
	}
}

// TestRemovedIsNotUnknown: a device that was looked up by its user and is gone when the
// plan is made was removed by its owner.
func TestRemovedIsNotUnknown(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.unknowns = true
	r.restart(t)
	r.device("d1", "ann", "hers", t0)
	n := r.accept(push.Target{UserIDs: []string{"ann"}})
	r.run(t, n.ID) // the looked up page is kept
	r.ledger.ForgetLine(push.ChunkRef{Notification: n.ID})
	if err := r.devices.DeleteDevice(t.Context(), "acme", "d1"); err != nil {
		t.Fatal(err)
	}
	r.restart(t)
	r.high.TakeAll()
	r.run(t, n.ID)
	if sent := chunks(r.high); len(sent) != 1 || sent[0].Recipients[0].Unknown {
		t.Errorf("sent %+v", sent)
	}
}

// TestRestoredDevice: the cache must not withhold notifications from a device
// that has just come back.
func TestRestoredDevice(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.device("d1", "ann", "-hers", t0)
	r.run(t, r.accept(push.Target{UserIDs: []string{"ann"}}).ID)
	r.device("d1", "ann", "hers", t0)
	r.ledger.ForgetLine(push.ChunkRef{Notification: ntfID})
	r.run(t, r.accept(push.Target{UserIDs: []string{"ann"}}).ID)
	if r.high.Len() != 1 {
		t.Error("still withheld")
	}
	asked := r.asked
	r.ledger.ForgetLine(push.ChunkRef{Notification: ntfID})
	r.run(t, r.accept(push.Target{UserIDs: []string{"ann"}}).ID)
	if r.asked != asked {
		t.Error("a sendable device was looked up again within moments")
	}
}

// TestTenantsDoNotShareLookups: what is remembered of a tenant's device says nothing about the same address of another's.
func TestTenantsDoNotShareLookups(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.unknowns = true
	r.restart(t)
	r.device("d1", "", "same", t0) // acme's
	for _, tenant := range []string{"acme", "rival", "acme"} {
		n := r.accept(push.Target{Tokens: []push.Token{"same"}})
		n.Tenant = tenant
		r.ledger.PutNotification(n)
		r.ledger.ForgetLine(push.ChunkRef{Notification: n.ID})
		r.high.TakeAll()
		r.run(t, n.ID)
		if got := chunks(r.high)[0].Recipients[0]; got.Unknown != (tenant == "rival") {
			t.Errorf("%s: %+v", tenant, got)
		}
	}
	if r.asked != 2 {
		t.Errorf("asked %d times, want once for each tenant", r.asked)
	}
}

// TestLanes: priority and size choose the queue.
func TestLanes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		priority push.Priority
		n        int
		high     bool
	}{
		{push.PriorityHigh, push.NormalHighRecipients + 1, true},
		{push.PriorityNormal, push.NormalHighRecipients, true},
		{push.PriorityNormal, push.NormalHighRecipients + 1, false},
		{push.PriorityBulk, 1, false},
	} {
		r := setup(t)
		n := r.batch(t, tokens(1, c.n))
		n.Priority = c.priority
		r.ledger.PutNotification(n)
		r.run(t, n.ID)
		if high := r.high.Len() > 0; high != c.high || high == (r.bulk.Len() > 0) {
			t.Errorf("%d recipients of priority %s: %d high, %d bulk", c.n, c.priority, r.high.Len(), r.bulk.Len())
		}
	}
}
