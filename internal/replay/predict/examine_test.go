package predict

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// objecting is a screen that gives every recipient the same code.
type objecting push.Code

func (o objecting) Screen(_ context.Context, _ string, rs []push.Recipient) ([]push.Code, error) {
	codes := make([]push.Code, len(rs))
	for i := range codes {
		codes[i] = push.Code(o)
	}
	return codes, nil
}

// holding is a breaker that has been open for an hour.
type holding struct{ now func() time.Time }

func (h holding) OpenSince(context.Context, string) (time.Time, error) {
	return h.now().Add(-time.Hour), nil
}

func TestExamineRecipient(t *testing.T) {
	t.Parallel()
	head := func(f func(n *push.Notification)) func(*world, push.ChunkRef, *push.Letter) {
		return func(w *world, ref push.ChunkRef, _ *push.Letter) {
			n := w.Head(ref.Notification)
			f(&n)
			w.Ledger.PutNotification(n)
		}
	}
	line := func(f func(l *ledger.Line)) func(*world, push.ChunkRef, *push.Letter) {
		return func(w *world, ref push.ChunkRef, _ *push.Letter) {
			l := w.Line(ref)
			f(&l)
			w.Ledger.PutLine(l)
		}
	}
	cell := func(c push.Code, twice bool) func(*world, push.ChunkRef, *push.Letter) {
		return line(func(l *ledger.Line) { l.Cells[0] = ledger.CellOf(c, twice) })
	}
	letter := func(f func(l *push.Letter)) func(*world, push.ChunkRef, *push.Letter) {
		return func(_ *world, _ push.ChunkRef, l *push.Letter) { f(l) }
	}
	screen := func(c push.Code) func(*world, push.ChunkRef, *push.Letter) {
		return func(w *world, _ push.ChunkRef, _ *push.Letter) {
			w.cfg.Screens = []Screen{objecting(push.CodeOpen), objecting(c)}
		}
	}
	expired := func(n *push.Notification) { n.ExpiresAt = n.AcceptedAt.Add(-time.Hour) }
	cases := []struct {
		name  string
		tune  func(*world, push.ChunkRef, *push.Letter)
		edits Edits
		want  Prediction
	}{
		{"nothing against it", letter(func(*push.Letter) {}), Edits{}, WouldSend},
		{
			"no notification", func(w *world, ref push.ChunkRef, _ *push.Letter) { w.Ledger.ForgetNotification(ref.Notification) },
			Edits{},
			NotificationGone,
		},
		{"no line", func(w *world, ref push.ChunkRef, _ *push.Letter) { w.Ledger.ForgetLine(ref) }, Edits{}, NotificationGone},
		{"no such cell", letter(func(l *push.Letter) { l.Cell = 99 }), Edits{}, NotificationGone},
		{"no address", letter(func(l *push.Letter) { l.Recipient = push.Recipient{} }), Edits{}, Unsendable},
		{"delivered", cell(push.CodeSent, false), Edits{}, AlreadyDelivered},
		{"delivered and cancelled", func(w *world, ref push.ChunkRef, l *push.Letter) {
			cell(push.CodeSent, false)(w, ref, l)
			head(func(n *push.Notification) { n.Progress.State = push.StateCancelled })(w, ref, l)
		}, Edits{}, AlreadyDelivered},
		{"open", cell(push.CodeOpen, false), Edits{}, InDelivery},
		{"another outcome", cell(push.CodeFCMUnregistered, false), Edits{}, Settled},
		{"perhaps delivered", cell(dead, true), Edits{}, WouldSend},
		{"perhaps delivered, at most once", func(w *world, ref push.ChunkRef, l *push.Letter) {
			cell(dead, true)(w, ref, l)
			head(func(n *push.Notification) { n.Guarantee = push.AtMostOnce })(w, ref, l)
		}, Edits{}, MaybeDelivered},
		{"surely not delivered, at most once", head(func(n *push.Notification) { n.Guarantee = push.AtMostOnce }), Edits{}, WouldSend},
		{"line in delivery", line(func(l *ledger.Line) { l.State = ledger.StateWaiting }), Edits{}, InDelivery},
		{"cancelled", head(func(n *push.Notification) { n.Progress.State = push.StateCancelled }), Edits{}, Cancelled},
		{"paused", head(func(n *push.Notification) { n.Progress.State = push.StatePaused }), Edits{}, Paused},
		{"expired", head(expired), Edits{}, Expired},
		{"expired, with a new deadline", head(expired), Edits{ExpireAfter: time.Hour}, WouldSend},
		{"a patch that breaks it", letter(func(*push.Letter) {}), Edits{Patch: []byte(`[{"op":"remove","path":"/notification"}]`)}, PatchInvalid},
		{
			"a patch that fits", letter(func(*push.Letter) {}),
			Edits{Patch: []byte(`[{"op":"remove","path":"/notification/title"},{"op":"add","path":"/notification/body","value":"x"}]`)},
			WouldSend,
		},
		{
			"a patch that is too large with the recipient's data",
			letter(func(l *push.Letter) { l.Recipient.Data = map[string]string{"k": strings.Repeat("x", 2000)} }),
			Edits{Patch: []byte(`[{"op":"add","path":"/data","value":{"more":"` + strings.Repeat("x", 2100) + `"}}]`)},
			PatchInvalid,
		},
		{
			"a patch that FCM would refuse", letter(func(*push.Letter) {}),
			Edits{Patch: []byte(`[{"op":"add","path":"/apns","value":{"headers":{"apns-expiration":"tomorrow"}}}]`)},
			PatchInvalid,
		},
		{"quarantined", screen(push.CodeDeviceQuarantined), Edits{}, Quarantined},
		{"device gone", screen(push.CodeNoDevice), Edits{}, DeviceGone},
		{"opted out", screen(push.CodeUserOptedOut), Edits{}, OptedOut},
		{"capped", screen(push.CodeCapFrequency), Edits{}, Suppressed},
		{"failed again after a replay", letter(func(l *push.Letter) { l.Series = 1 }), Edits{}, WouldFailAgain},
		{
			"failed again, edited now", letter(func(l *push.Letter) { l.Series = 1 }),
			Edits{Patch: []byte(`[{"op":"add","path":"/notification/body","value":"x"}]`)},
			WouldSend,
		},
		{"poison, same software", letter(func(l *push.Letter) { l.Code, l.Software = push.CodePoison, "v2" }), Edits{}, WouldFailAgain},
		{"poison, other software", letter(func(l *push.Letter) { l.Code = push.CodePoison }), Edits{}, WouldSend},
		{"breaker open", func(w *world, _ push.ChunkRef, _ *push.Letter) { w.cfg.Breakers = holding{w.cfg.Now} }, Edits{}, BreakerOpen},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			ref := w.Chunk(dead)
			w.Die(ref)
			l := w.All()[0]
			c.tune(w, ref, &l)
			w.reboot()
			before := w.Ledger.AllLines()[ref]
			got, err := w.room.Examine(t.Context(), []push.Letter{l}, &c.edits)
			if err != nil || got[0].Prediction != c.want {
				t.Fatalf("%s (%s), error %v; want %s", got[0].Prediction, got[0].Why, err, c.want)
			}
			if got[0].Prediction != WouldSend && got[0].Why == "" {
				t.Error("no reason is given")
			}
			if w.Ledger.AllLines()[ref].Epoch != before.Epoch || w.All()[0].Version != 1 {
				t.Error("looking changed something")
			}
		})
	}
}

// A patch changes the message of a chunk. An event or a task has none in it: sent
// again, it would bring what the patch was to mend to everybody.
func TestExamineWholeMessagesArePatchedNever(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(dead)
	task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: ref.Notification, Page: wire.AllPages})
	w.Must(err)
	head := w.Head(ref.Notification)
	head.Progress.State = push.StateDeadLettered
	w.Ledger.PutNotification(head)
	for queue, body := range map[string][]byte{push.QueueNotifications: task, push.QueueEvents: []byte("no event")} {
		w.Put(queue, w.Envelope(push.DeadLetter{Queue: queue, ID: "1", Code: push.CodeUnexpandable, Body: body, Software: "v1"}))
	}
	w.Drain()
	for _, c := range []struct {
		edits Edits
		want  Prediction
	}{
		{Edits{}, WouldSend},
		{Edits{Patch: []byte(`[{"op":"add","path":"/notification/body","value":"x"}]`)}, PatchInvalid},
	} {
		got, err := w.room.Examine(t.Context(), w.All(), &c.edits)
		if err != nil || len(got) != 2 || got[0].Prediction != c.want || got[1].Prediction != c.want {
			t.Errorf("with %s: %+v (%v), want %s", c.edits.Patch, got, err, c.want)
		}
	}
}

func TestExamineMessage(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		queue string
		body  func(w *world, ref push.ChunkRef) []byte // nil: bytes of no meaning
		code  push.Code
		tune  func(*world, push.ChunkRef, *push.Letter)
		want  Prediction
	}{
		{"an event, other software", push.QueueEvents, nil, push.CodeUndecodable, nil, WouldSend},
		{
			"an event, same software", push.QueueEvents, nil, push.CodeUndecodable,
			func(_ *world, _ push.ChunkRef, l *push.Letter) { l.Software = "v2" }, WouldFailAgain,
		},
		{"a queue that is not there", "old", nil, push.CodePoison, nil, Unsendable},
		{"no body", push.QueueEvents, nil, push.CodePoison, func(_ *world, _ push.ChunkRef, l *push.Letter) { l.Body = nil }, Unsendable},
		{"unreadable recipients", push.QueueBulk, nil, dead, nil, Unsendable},
		{"a task", push.QueueNotifications, taskBody, push.CodeUnexpandable, headState(push.StateDeadLettered), WouldSend},
		{
			"a task of a cancelled notification", push.QueueNotifications, taskBody, push.CodeUnexpandable, headState(push.StateCancelled),
			Cancelled,
		},
		{"a task of a completed notification", push.QueueNotifications, taskBody, push.CodeUnexpandable, headState(push.StateCompleted), Settled},
		{"a task of a paused batch", push.QueueNotifications, taskBody, push.CodeUnexpandable, headState(push.StatePaused), Paused},
		{
			"a task of nothing", push.QueueNotifications, taskBody, push.CodeUnexpandable,
			func(w *world, ref push.ChunkRef, _ *push.Letter) { w.Ledger.ForgetNotification(ref.Notification) }, NotificationGone,
		},
		{"a chunk", push.QueueBulk, chunkBody, push.CodePoison, lineState(ledger.StateClaimed, 0), WouldSend},
		{"a chunk of a closed line", push.QueueBulk, chunkBody, push.CodePoison, lineState(ledger.StateClosed, 0), Settled},
		{"a stale chunk", push.QueueBulk, chunkBody, push.CodePoison, lineState(ledger.StateWaiting, 9), Settled},
		{
			"a chunk of nothing", push.QueueBulk, chunkBody, push.CodePoison,
			func(w *world, ref push.ChunkRef, _ *push.Letter) { w.Ledger.ForgetLine(ref) }, NotificationGone,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			ref := w.Chunk(push.CodeOpen)
			l := push.Letter{
				Kind: push.LetterMessage, Queue: c.queue, Code: c.code, Cell: -1, Body: []byte("?"), Notification: ref.Notification, Software: "v1",
			}
			if c.body != nil {
				l.Body = c.body(w, ref)
			}
			if c.tune != nil {
				c.tune(w, ref, &l)
			}
			got, err := w.room.Examine(t.Context(), []push.Letter{l}, &Edits{})
			if err != nil || got[0].Prediction != c.want {
				t.Errorf("%s (%s), error %v; want %s", got[0].Prediction, got[0].Why, err, c.want)
			}
		})
	}
}

func taskBody(w *world, ref push.ChunkRef) []byte {
	b, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: ref.Notification, Page: wire.AllPages})
	w.Must(err)
	return b
}

func chunkBody(w *world, ref push.ChunkRef) []byte {
	b, err := wire.EncodeChunk(
		&push.Chunk{Ref: ref, Tenant: "acme", Attempt: 1, Turn: 2, Recipients: []push.Recipient{letterstest.Recipient(ref, 0)}, Index: []int{0}},
		"")
	w.Must(err)
	return b
}

func headState(s push.State) func(*world, push.ChunkRef, *push.Letter) {
	return func(w *world, ref push.ChunkRef, _ *push.Letter) {
		n := w.Head(ref.Notification)
		n.Progress.State = s
		w.Ledger.PutNotification(n)
	}
}

func lineState(s ledger.State, turn int) func(*world, push.ChunkRef, *push.Letter) {
	return func(w *world, ref push.ChunkRef, _ *push.Letter) {
		l := w.Line(ref)
		l.State, l.Turn = s, turn
		w.Ledger.PutLine(l)
	}
}

// failing is a screen, a breaker and a registry that are away.
type failing struct{}

var errAway = errors.New("away")

func (failing) Screen(context.Context, string, []push.Recipient) ([]push.Code, error) {
	return nil, errAway
}

func (failing) OpenSince(context.Context, string) (time.Time, error) { return time.Time{}, errAway }

func (failing) DevicesByAddress(context.Context, string, []push.Address) (map[push.Address]push.Device, error) {
	return nil, errAway
}

func TestExamineFails(t *testing.T) {
	t.Parallel()
	for name, tune := range map[string]func(w *world){
		"screen":   func(w *world) { w.cfg.Screens = []Screen{failing{}} },
		"devices":  func(w *world) { w.cfg.Screens = []Screen{DeviceScreen{failing{}}} },
		"breaker":  func(w *world) { w.cfg.Breakers = failing{} },
		"the rest": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			w.Die(w.Chunk(dead))
			tune(w)
			w.reboot()
			want := errAway
			if name == "the rest" {
				w.Calls.Die(1, false)
				want = workertest.ErrFault
			}
			if _, err := w.room.Examine(t.Context(), w.All(), &Edits{}); !errors.Is(err, want) {
				t.Errorf("error is %v, want %v", err, want)
			}
		})
	}
}

// registry is a device registry of a few.
type registry map[push.Address]push.Device

func (r registry) DevicesByAddress(context.Context, string, []push.Address) (map[push.Address]push.Device, error) {
	return r, nil
}

func TestDeviceScreen(t *testing.T) {
	t.Parallel()
	token := func(v string) push.Address { return push.Address{Kind: push.KindToken, Value: push.Token(v)} }
	known := registry{}
	for v, d := range map[string]push.Device{
		"active":      {ID: "dev-1", UserID: "zoe", State: push.DeviceActive},
		"quarantined": {ID: "dev-2", UserID: "zoe", State: push.DeviceQuarantined},
	} {
		known[token(v)] = d
	}
	cases := []struct {
		name string
		r    push.Recipient
		want push.Code
	}{
		{"a raw token, registered", push.Recipient{Address: token("active")}, push.CodeOpen},
		{"a raw token, unknown", push.Recipient{Address: token("unknown")}, push.CodeOpen},
		{"the device that was meant", push.Recipient{Address: token("active"), DeviceID: "dev-1", UserID: "zoe"}, push.CodeOpen},
		{"quarantined since", push.Recipient{Address: token("quarantined")}, push.CodeDeviceQuarantined},
		{"deleted since", push.Recipient{Address: token("unknown"), DeviceID: "dev-9"}, push.CodeNoDevice},
		{"another user's by now", push.Recipient{Address: token("active"), UserID: "ann"}, push.CodeNoDevice},
		{"another device's by now", push.Recipient{Address: token("active"), DeviceID: "dev-9"}, push.CodeNoDevice},
		{"a topic", push.Recipient{Address: push.Address{Kind: push.KindTopic, Value: "active"}}, push.CodeOpen},
	}
	rs := make([]push.Recipient, len(cases))
	for i, c := range cases {
		rs[i] = c.r
	}
	codes, err := DeviceScreen{known}.Screen(t.Context(), "acme", rs)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if codes[i] != c.want {
			t.Errorf("%s: %s, want %s", c.name, codes[i], c.want)
		}
	}
	topics, err := DeviceScreen{failing{}}.Screen(t.Context(), "acme", rs[len(rs)-1:])
	if err != nil || topics[0] != push.CodeOpen {
		t.Errorf("a topic alone asks the registry: %v", err)
	}
}
