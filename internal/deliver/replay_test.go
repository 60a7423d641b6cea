package deliver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

// TestReplayedChunk: a chunk may bring its own message and deadline. They go
// with it from turn to turn, and stay its own.
func TestReplayedChunk(t *testing.T) {
	t.Parallel()
	in(t, 2, func(r *rig) { r.change(func(n *push.Notification) { n.TTL = time.Second }) }, func(r *rig) {
		time.Sleep(time.Hour)
		r.chunk.Message = push.Message(`{"notification":{"title":"Edited"}}`)
		r.chunk.ExpiresAt = time.Now().Add(time.Hour).UTC()
		r.chunk.Replay, r.chunk.Series = "rpl_01890a5d-ac96-774b-bcce-b302099a8059", 1
		r.fcm.script[name(1)] = []answer{{code: push.CodeFCMUnavailable}, {code: push.CodeFCMUnavailable}, {code: push.CodeFCMUnavailable}}
		if v := r.deliver(r.chunk); v.word != "ack" || !strings.Contains(r.fcm.bodies[name(0)], "Edited") {
			t.Fatalf("%+v, sent %s", v, r.fcm.bodies[name(0)])
		}
		next := r.queue.chunks()[0]
		if next.Replay != r.chunk.Replay || next.Series != 1 || !next.ExpiresAt.Equal(r.chunk.ExpiresAt) ||
			string(next.Message) != string(r.chunk.Message) {
			t.Errorf("handed back as %+v", next)
		}
		r.queue.msgs, r.chunk = nil, next
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 1, push.CodeAttemptsExhausted: 1}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if u := r.letters()[0]; u.Chunk.Series != 1 || string(u.Chunk.Message) != string(r.chunk.Message) {
			t.Errorf("dead-lettered as %+v", u.Chunk)
		}
	})
}
