package replay

import (
	"fmt"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/programs"
)

// TestSimulationAgrees simulates a replay of letters of all kinds, replays them
// with nothing changed in between, and wants 99 of 100 to end as predicted. A
// few that nobody could foresee are among them: devices that are gone by now.
func TestSimulationAgrees(t *testing.T) {
	t.Parallel()
	w := newFutures(t)
	ctx := t.Context()
	letters := w.all()
	predicted := map[push.ID]predict.Prediction{}
	counts := map[predict.Prediction]int64{}
	for i := range letters {
		if letters[i].State != push.LetterParked {
			continue
		}
		d, err := w.room.Detail(ctx, letters[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		predicted[d.ID] = d.Prediction
		counts[d.Prediction]++
	}
	for _, p := range []predict.Prediction{
		predict.WouldSend, predict.WouldFailAgain, predict.AlreadyDelivered, predict.Expired, predict.Cancelled, predict.Paused,
		predict.Quarantined, predict.DeviceGone, predict.NotificationGone,
	} {
		if counts[p] < 20 {
			t.Errorf("%d letters are predicted as %s, too few to tell: %v", counts[p], p, counts)
		}
	}
	sim, err := w.room.Simulate(ctx, predict.SimulateRequest{All: true})
	if err != nil {
		t.Fatal(err)
	}
	status := w.execute(sim.ID, replay.Options{})
	for _, p := range predict.Predictions() {
		if sim.Counts[p] != counts[p] {
			t.Errorf("the simulation counts %d as %s, one by one they are %d", sim.Counts[p], p, counts[p])
		}
		if !p.Sends() && status.Skipped[p] != sim.Counts[p] {
			t.Errorf("%d letters were simulated as %s, the replay passed over %d as such", sim.Counts[p], p, status.Skipped[p])
		}
	}
	agree := 0
	for id, p := range predicted {
		l, err := w.room.Detail(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if ended(&l.Letter) == foretold(p) {
			agree++
			continue
		}
		t.Logf("%s: %s was predicted, and it is %s with outcome %s", id, p, l.State, l.Outcome)
	}
	share := float64(agree) / float64(len(predicted))
	const least = 0.99
	if share < least {
		t.Errorf("%d of %d letters ended as predicted: %.3f, want %v", agree, len(predicted), share, least)
	}
	t.Logf("%d of %d letters ended as predicted (%.2f %%): %v", agree, len(predicted), 100*share, sim.Counts)
}

// ending is what becomes of a letter in a replay.
type ending string

const (
	arrives ending = "arrives"
	fails   ending = "fails again"
	stays   ending = "stays parked"
)

func foretold(p predict.Prediction) ending {
	switch {
	case p == predict.WouldFailAgain:
		return fails
	case p.Sends():
		return arrives
	}
	return stays
}

func ended(l *push.Letter) ending {
	switch {
	case l.State == push.LetterParked:
		return stays
	case l.State == push.LetterReplayed && l.Outcome == push.CodeSent:
		return arrives
	case l.State == push.LetterReplayed && l.Outcome != push.CodeOpen:
		return fails
	}
	return ""
}

// newFutures fills a house with letters of every kind of future.
func newFutures(t *testing.T) *losses {
	t.Helper()
	const few, many = 60, 100
	w := &losses{house: open(t)}
	fault, stop := w.startFaulty(commands.Simulator(t, time.Millisecond))
	t.Cleanup(stop)

	// What died in an outage.
	for range 3 {
		w.died("dies-fcm.unavailable", many, nil)
	}
	w.died("sim-unregistered-dies-fcm.quota_exceeded", 3, nil)
	again := w.died("sim-unavailable-99-dies-fcm.internal", few, nil)
	const life = 3 * time.Second
	expires := time.Now().Add(life)
	w.died("dies-fcm.unavailable", few, func(n *push.Notification) { n.ExpiresAt = expires })
	cancelled, paused := w.died("dies-net.timeout", few, nil), w.died("dies-fcm.quota_exceeded", few, nil)
	quarantined := w.died("dies-fcm.quota_exceeded", few, nil)
	w.goneDevices(few)
	w.deliveredAllTheSame(few)
	w.unknownNotification(few)
	w.drain()
	fault.mended.Store(true)

	// What has happened since.
	w.replay(predict.SimulateRequest{Filter: push.LetterFilter{Notification: again}}, replay.Options{})
	w.drain()
	w.cancel(cancelled)
	w.pause(paused)
	w.quarantine(quarantined, few)
	programs.WaitFor(t, "letters to expire", func() bool { return time.Now().After(expires) })
	return w
}

// died sends to n tokens that die and returns the notification.
func (l *losses) died(prefix string, n int, tune func(*push.Notification)) push.ID {
	l.tb.Helper()
	id := push.NewID(push.PrefixNotification)
	chunk := l.plan(id, toTokens(tokensOf(prefix, id, n)...), tune)
	l.enqueue(push.QueueBulk, l.encode(&chunk))
	l.counts(id)
	return id
}

func tokensOf(prefix string, id push.ID, n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s-%s-%03d", prefix, id, i)
	}
	return tokens
}

// goneDevices lets letters die whose devices are not registered.
func (l *losses) goneDevices(n int) {
	id := push.NewID(push.PrefixNotification)
	to := toTokens(tokensOf("dies-fcm.quota_exceeded", id, n)...)
	for i := range to {
		to[i].DeviceID = push.NewID(push.PrefixDevice)
	}
	chunk := l.plan(id, to, nil)
	l.enqueue(push.QueueBulk, l.encode(&chunk))
	l.counts(id)
}

// deliveredAllTheSame leaves letters as a dispatcher does that dies between the
// dead letter and the ledger's line: the next one sends, and it works.
func (l *losses) deliveredAllTheSame(n int) {
	l.tb.Helper()
	id := push.NewID(push.PrefixNotification)
	chunk := l.plan(id, toTokens(tokensOf("healthy", id, n)...), nil)
	l.deadLetter(&chunk)
	l.enqueue(push.QueueBulk, l.encode(&chunk))
	l.counts(id)
}

// unknownNotification leaves letters of a notification that the ledger has
// removed since.
func (l *losses) unknownNotification(n int) {
	l.tb.Helper()
	id := push.NewID(push.PrefixNotification)
	chunk := push.Chunk{Ref: push.ChunkRef{Notification: id}, Tenant: tenant, Attempt: 1, Recipients: toTokens(tokensOf("healthy", id, n)...)}
	for i := range chunk.Recipients {
		chunk.Index = append(chunk.Index, i)
	}
	l.deadLetter(&chunk)
}

// deadLetter puts a chunk on the dead-letter queue as deliver does.
func (l *losses) deadLetter(c *push.Chunk) {
	l.tb.Helper()
	u := wire.Undelivered{Chunk: *c}
	for range c.Recipients {
		u.Codes, u.Detail = append(u.Codes, push.CodeFCMUnavailable), append(u.Detail, "HTTP 503")
	}
	inner, err := wire.EncodeUndelivered(&u, "")
	if err != nil {
		l.tb.Fatal(err)
	}
	body, err := wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted, Body: inner, Group: tenant, Receives: 1, SentAt: time.Now(), At: time.Now(),
		Software: "v1",
	})
	if err != nil {
		l.tb.Fatal(err)
	}
	l.enqueue(push.DeadLetterQueue(push.QueueBulk), body)
}

func (l *losses) pause(id push.ID) {
	l.tb.Helper()
	_, err := ledger.Advance(l.tb.Context(), l.store, id, func(n push.Notification) (push.Progress, error) {
		n.Progress.State = push.StatePaused
		return n.Progress, nil
	})
	if err != nil {
		l.tb.Fatal(err)
	}
}

// quarantine registers the devices of a notification and calls them gone.
func (l *losses) quarantine(id push.ID, n int) {
	l.tb.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	var devices []push.Device
	var notes []push.DeviceNote
	for _, r := range toTokens(tokensOf("dies-fcm.quota_exceeded", id, n)...) {
		devices = append(devices, push.Device{
			Tenant: tenant, ID: push.NewID(push.PrefixDevice), Address: r.Address, State: push.DeviceActive, Source: push.SourceAPI,
			CreatedAt: now, UpdatedAt: now,
		})
		notes = append(notes,
			push.DeviceNote{
				Address: r.Address, Code: push.CodeFCMUnregistered, At: now.Add(time.Second), SentAt: now.Add(time.Second), Quarantine: true,
			})
	}
	if err := l.store.PutDevices(l.tb.Context(), devices); err != nil {
		l.tb.Fatal(err)
	}
	if _, err := l.store.NoteDevices(l.tb.Context(), tenant, notes); err != nil {
		l.tb.Fatal(err)
	}
}
