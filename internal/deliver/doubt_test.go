package deliver_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// quarantined returns whom the notes put in quarantine.
func (r *rig) quarantined() map[string]push.Code {
	got := map[string]push.Code{}
	for _, n := range r.out.notes {
		if n.Quarantine {
			got[n.Address.Value.Reveal()] = n.Code
		}
	}
	return got
}

// TestDoubt: an address that is called dead is quarantined; one that is called
// invalid is, if the same message was good for somebody else.
func TestDoubt(t *testing.T) {
	t.Parallel()
	const dead, bad = push.CodeFCMUnregistered, push.CodeAPNsBadDeviceToken
	const token, unclear = push.CodeFCMInvalidArgument, push.CodeFCMInvalidUnspecified
	all := map[string]push.Code{name(0): dead, name(1): bad, name(2): token, name(3): unclear}
	surely := map[string]push.Code{name(0): dead, name(1): bad}
	for _, tc := range []struct {
		name string
		tune func(r *rig)
		want map[string]push.Code
	}{
		{name: "nobody else", tune: func(r *rig) {
			r.chunk.Recipients, r.chunk.Index = r.chunk.Recipients[:6], r.chunk.Index[:6]
		}, want: surely},
		{name: "somebody else got it", want: all},
		{name: "somebody else got it before the process was restarted", tune: func(r *rig) {
			l := r.line()
			l.Cells[6] = ledger.CellOf(push.CodeSent, false)
			r.ledger.PutLine(l)
			r.chunk.Recipients, r.chunk.Index = r.chunk.Recipients[:6], r.chunk.Index[:6]
		}, want: all},
		{name: "somebody else got a message of his own", tune: func(r *rig) {
			r.chunk.Recipients[6].Data = map[string]string{"a": "b"}
		}, want: all}, // the ledger does not tell it from the shared one, of which it is made
		{name: "messages of their own", tune: func(r *rig) {
			for i := range 4 {
				r.chunk.Recipients[i].Data = map[string]string{"name": name(i)}
			}
		}, want: map[string]push.Code{name(0): dead, name(1): bad, name(2): token}},
		{name: "topics", tune: func(r *rig) {
			for i := range 4 {
				r.chunk.Recipients[i].Address.Kind = push.KindTopic
			}
		}, want: map[string]push.Code{}},
		{name: "a replay's own message", tune: func(r *rig) {
			r.chunk.Message = push.Message(`{"data":{"b":"c"}}`)
			r.chunk.Replay, r.chunk.Series = "rpl_01890a5d-ac96-774b-bcce-b302099a8057", 1
		}, want: all},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in(t, 7, tc.tune, func(r *rig) {
				for i, code := range []push.Code{dead, bad, token, unclear, push.CodeFCMSenderIDMismatch, push.CodeFCMThirdPartyAuth} {
					r.fcm.script[name(i)] = []answer{{code: code}}
				}
				r.finish()
				if diff := cmp.Diff(tc.want, r.quarantined()); diff != "" {
					t.Errorf("quarantined (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestDoubtAcrossChunks: what one chunk of a notification learns serves the
// next one.
func TestDoubtAcrossChunks(t *testing.T) {
	t.Parallel()
	in(t, 2, nil, func(r *rig) {
		r.fcm.script[name(1)] = []answer{{code: push.CodeFCMInvalidArgument}}
		second := push.ChunkRef{Notification: ntfID, Seq: 1}
		r.ledger.PutLine(
			ledger.NewLine(ledger.Plan{Ref: second, Tenant: "acme", Sources: 1, Last: true, Cells: make([]ledger.Cell, 1)}, r.cfg.Now()),
		)
		last := r.chunk
		last.Ref, last.Recipients, last.Index = second, r.chunk.Recipients[1:], []int{0}
		if v := r.deliver(last); v.word != "ack" || len(r.quarantined()) != 0 {
			t.Fatalf("%+v: %v quarantined before anybody got the message", v, r.quarantined())
		}
		r.fcm.asked[name(1)] = 0
		l := r.lineOf(second)
		l.Cells[0], l.State = 0, ledger.StatePlanned
		r.ledger.PutLine(l)
		r.chunk.Recipients, r.chunk.Index = r.chunk.Recipients[:1], r.chunk.Index[:1]
		r.deliver(r.chunk)
		if v := r.deliver(last); v.word != "ack" || len(r.quarantined()) != 1 {
			t.Errorf("%+v: %v quarantined, want the one", v, r.quarantined())
		}
	})
}
