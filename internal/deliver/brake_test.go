package deliver_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// platform gives every k-th recipient of the chunk a platform, and has FCM refuse
// those with a code.
func (r *rig) platform(k int, p push.Platform, code push.Code) {
	for i := range r.chunk.Recipients {
		if i%k == 0 {
			r.chunk.Recipients[i].Platform = p
			r.refuse(i, code)
		}
	}
}

// refuse has FCM refuse a recipient whenever it is asked.
func (r *rig) refuse(i int, code push.Code) {
	r.fcm.script[name(i)] = slices.Repeat([]answer{{code: code}}, 20)
}

// requests returns how many were made to the recipients that hold.
func (r *rig) requests(of func(i int) bool) (n int) {
	for i := range r.chunk.Recipients {
		if of(i) {
			n += r.fcm.asked[name(i)]
		}
	}
	return n
}

func (r *rig) progress() *push.Progress {
	p := r.head().Progress
	return &p
}

// letGo lets go as an operator does.
func (r *rig) letGo(off bool) {
	r.change(func(n *push.Notification) {
		p := &n.Progress
		p.Held, p.BrakeOff = push.Holds{}, off
		p.Generation++
		p.Version++
	})
}

// resume lets go, and sends what is parked.
func (r *rig) resume(off bool) {
	r.letGo(off)
	line := r.line()
	c := r.chunk
	c.Recipients, c.Index, c.Turn = nil, nil, line.Turn
	for i := range r.chunk.Recipients {
		if line.Cells[i].Open() {
			c.Recipients, c.Index = append(c.Recipients, r.chunk.Recipients[i]), append(c.Index, i)
		}
	}
	whole := r.chunk
	r.chunk = c
	r.finish()
	r.chunk = whole
}

// TestBrakeOfAPlatform: half of the recipients have a platform without a key. Some
// twenty are asked, the others wait with them, and nobody else is held up. What is
// let go gets the message when the key is there, and is held again if not.
func TestBrakeOfAPlatform(t *testing.T) {
	t.Parallel()
	even := func(i int) bool { return i%2 == 0 }
	for _, latency := range []time.Duration{0, 30 * time.Millisecond, 900 * time.Millisecond} {
		in(t, 400, func(r *rig) { r.cfg.Window = 100 }, func(r *rig) {
			r.fcm.latency = latency
			r.platform(2, push.PlatformIOS, push.CodeFCMThirdPartyAuth)
			r.finish()
			if diff := cmp.Diff(map[push.Code]int{push.CodeOpen: 200, push.CodeSent: 200}, r.codes()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := r.requests(even); n != 20 {
				t.Errorf("%v: %d requests to the platform, want 20", latency, n)
			}
			h := r.progress().Held
			if got := h[push.PartIOS]; got.Code != push.CodeFCMThirdPartyAuth || got.Refused != 20 || got.Scattered || got.Since.IsZero() ||
				h[push.PartUnknown].Code != 0 {
				t.Errorf("held %+v", h)
			}
			if s := r.line().State; s != ledger.StateParked || len(r.queue.msgs) != 0 || len(r.out.held) != 1 ||
				r.metric(t, "belfry_brake_total") != 1 {
				t.Errorf("line is %s, %d messages, %d events", s, len(r.queue.msgs), len(r.out.held))
			}
			r.resume(false)
			if n := r.requests(even); n != 40 || !r.progress().Held.Stopped(push.PartIOS) || len(r.out.held) != 2 {
				t.Errorf("resumed too early: %d requests, held %+v", n, r.progress().Held)
			}
			for i := range 400 {
				delete(r.fcm.script, name(i))
			}
			r.resume(false)
			if got := r.codes()[push.CodeSent]; got != 400 {
				t.Errorf("resumed with the key: %v", r.codes())
			}
			for i := range 400 {
				if r.fcm.accepted[name(i)] != 1 {
					t.Fatalf("%s got it %d times", name(i), r.fcm.accepted[name(i)])
				}
			}
		})
	}
}

// TestBrakeKinds: what is held, and what is not.
func TestBrakeKinds(t *testing.T) {
	t.Parallel()
	const n = 300
	for _, tc := range []struct {
		name string
		tune func(r *rig)
		most int // requests to who is refused
		want map[push.Code]int
		hold push.Hold // of devices of unknown platform
	}{
		{
			name: "a message that is wrong", tune: func(r *rig) { r.platform(1, "", push.CodePayloadInvalid) },
			most: 20, want: map[push.Code]int{push.CodeOpen: n}, hold: push.Hold{Code: push.CodePayloadInvalid, Refused: 20},
		},
		{
			name: "too large", tune: func(r *rig) { r.platform(1, "", push.CodePayloadTooLarge) },
			most: 20, want: map[push.Code]int{push.CodeOpen: n}, hold: push.Hold{Code: push.CodePayloadTooLarge, Refused: 20},
		},
		{
			name: "not said what is invalid", tune: func(r *rig) { r.platform(1, "", push.CodeFCMInvalidUnspecified) },
			most: 20, want: map[push.Code]int{push.CodeOpen: n}, hold: push.Hold{Code: push.CodeFCMInvalidUnspecified, Refused: 20},
		},
		{
			name: "another project's credential", tune: func(r *rig) { r.platform(1, "", push.CodeFCMSenderIDMismatch) },
			most: 20, want: map[push.Code]int{push.CodeOpen: n}, hold: push.Hold{Code: push.CodeFCMSenderIDMismatch, Refused: 20},
		},
		{name: "personal messages", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			for i := range r.chunk.Recipients {
				r.chunk.Recipients[i].Data = map[string]string{"a": "b"}
			}
		}, most: 20, want: map[push.Code]int{push.CodeOpen: n}, hold: push.Hold{Code: push.CodePayloadInvalid, Refused: 20}},
		{name: "tokens of which many are dead", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			for i := 0; i < n; i += 3 {
				r.refuse(i, push.CodeFCMUnregistered)
			}
		}, most: 40, hold: push.Hold{Code: push.CodePayloadInvalid, Refused: 20}},
		{
			name: "dead tokens alone", tune: func(r *rig) { r.platform(1, "", push.CodeFCMUnregistered) },
			most: n, want: map[push.Code]int{push.CodeFCMUnregistered: n},
		},
		{
			name: "tokens that are called invalid", tune: func(r *rig) { r.platform(1, "", push.CodeFCMInvalidArgument) },
			most: n, want: map[push.Code]int{push.CodeFCMInvalidArgument: n},
		},
		{name: "nineteen", tune: func(r *rig) {
			for i := range 19 {
				r.refuse(i, push.CodeFCMSenderIDMismatch)
			}
		}, most: 19, want: map[push.Code]int{push.CodeFCMSenderIDMismatch: 19, push.CodeSent: n - 19}},
		{
			name: "another project's among others", tune: func(r *rig) { r.platform(3, "", push.CodeFCMSenderIDMismatch) },
			most: 2 * n, want: map[push.Code]int{push.CodeFCMSenderIDMismatch: n / 3, push.CodeSent: n - n/3},
		},
		{
			name: "a platform's key among devices of unknown platform", tune: func(r *rig) { r.platform(2, "", push.CodeFCMThirdPartyAuth) },
			most: n / 2, want: map[push.Code]int{push.CodeOpen: n / 2, push.CodeSent: n / 2},
			hold: push.Hold{Code: push.CodeFCMThirdPartyAuth, Refused: 20, Scattered: true},
		},
		{name: "few recipients", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			r.chunk.Recipients, r.chunk.Index = r.chunk.Recipients[:20], r.chunk.Index[:20]
			r.change(func(n *push.Notification) { n.Progress.Sources = 20 })
			l := r.line()
			l.Cells = l.Cells[:20]
			r.ledger.PutLine(l)
		}, most: 20, want: map[push.Code]int{push.CodePayloadInvalid: 20}},
		{name: "let go", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			r.change(func(n *push.Notification) { n.Progress.BrakeOff = true })
		}, most: n, want: map[push.Code]int{push.CodePayloadInvalid: n}},
		{name: "switched off", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			r.cfg.Brake = 0
		}, most: n, want: map[push.Code]int{push.CodePayloadInvalid: n}},
		{name: "a replay", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			r.chunk.Replay, r.chunk.Series = "rpl_01890a5d-ac96-774b-bcce-b302099a8057", 1
		}, most: n, want: map[push.Code]int{push.CodePayloadInvalid: n}},
		{name: "at a pace", tune: func(r *rig) {
			r.platform(1, "", push.CodePayloadInvalid)
			r.change(func(n *push.Notification) { n.PerSecond = 50 })
		}, most: 20, want: map[push.Code]int{push.CodeOpen: n}, hold: push.Hold{Code: push.CodePayloadInvalid, Refused: 20}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in(t, n, func(r *rig) {
				r.cfg.Window = 100
				tc.tune(r)
			}, func(r *rig) {
				r.fcm.latency = 20 * time.Millisecond
				r.finish()
				got := r.requests(func(i int) bool { return len(r.fcm.script[name(i)]) > 0 })
				if diff := cmp.Diff(tc.want, r.codes()); tc.want != nil && diff != "" || got > tc.most {
					t.Errorf("%d requests to who is refused, at most %d wanted; codes (-want +got):\n%s", got, tc.most, diff)
				}
				h := r.progress().Held[push.PartUnknown]
				h.Since = time.Time{}
				if h != tc.hold {
					t.Errorf("held %+v, want %+v", h, tc.hold)
				}
				if l := r.line(); l.OpenCount() > 0 && l.State != ledger.StateParked || len(r.queue.msgs) > 0 {
					t.Errorf("line is %s", l.State)
				}
			})
		})
	}
}

// TestBrakeManyChunks: what is asked is the same for many chunks at once, and each
// process and lane has its own count; what one has found out holds for all.
func TestBrakeManyChunks(t *testing.T) {
	t.Parallel()
	in(t, 300, func(r *rig) { r.cfg.Window = 100; r.change(func(n *push.Notification) { n.Progress.Pages = 4 }) }, func(r *rig) {
		r.fcm.latency = 100 * time.Millisecond
		r.fcm.outage = func(string) push.Code { return push.CodePayloadInvalid }
		var chunks []push.Chunk
		for seq := range 12 {
			chunks = append(chunks, r.another(seq+1, 300))
		}
		first, second := r.make(r.cfg), r.make(r.cfg)
		defer first.Close()
		defer second.Close()
		var all sync.WaitGroup
		for i, c := range chunks {
			d := []*deliver.Deliver{first, second}[i%2]
			all.Go(func() { r.handle(d, c) })
		}
		all.Wait()
		if r.fcm.total > 40 || r.fcm.total < 20 {
			t.Errorf("%d requests, want at most 20 of each of two processes", r.fcm.total)
		}
		third := r.make(r.cfg) // after a restart
		defer third.Close()
		before := r.fcm.total
		r.handle(third, r.another(20, 300))
		if r.fcm.total != before {
			t.Errorf("%d requests of a process that came later", r.fcm.total-before)
		}
		for ref, l := range r.ledger.AllLines() {
			if ref.Seq > 0 && (l.State != ledger.StateParked || l.OpenCount() != 300) {
				t.Errorf("%s is %s with %d open", ref, l.State, l.OpenCount())
			}
		}
		if len(r.out.held) != 1 {
			t.Errorf("told %d times", len(r.out.held))
		}
	})
}

// handle has a process handle a chunk once.
func (r *rig) handle(d *deliver.Deliver, c push.Chunk) verdict {
	return look(d.Handle(r.tb.Context(), worker.Message{ID: "m", Body: r.encode(c), Group: "acme"}, nil))
}

func outgoing(body []byte) []worker.Outgoing { return []worker.Outgoing{{Body: body}} }

// TestBrakeSmallChunks: a chunk that ends before there is a verdict comes once more,
// and then its refusals are its own; with a verdict they wait.
func TestBrakeSmallChunks(t *testing.T) {
	t.Parallel()
	for _, chunks := range []int{2, 8} {
		in(t, 5, func(r *rig) { r.change(func(n *push.Notification) { n.Progress.Pages = 2 }) }, func(r *rig) {
			r.fcm.outage = func(string) push.Code { return push.CodeFCMThirdPartyAuth }
			l := r.lane(push.LaneBulk, newGuard(r.tb, nil), r.another(1, 5))
			defer l.Close()
			for seq := 2; seq <= chunks; seq++ {
				_ = l.queue.Send(r.tb.Context(), outgoing(r.encode(r.another(seq, 5))))
			}
			l.run(r.tb, time.Now().Add(time.Minute))
			open := 0
			for ref, line := range r.ledger.AllLines() {
				if ref.Seq > 0 {
					open += line.OpenCount()
				}
			}
			switch held := r.progress().Held.Any(); {
			case chunks == 2 && (held || open != 0 || r.fcm.total != 20):
				t.Errorf("ten recipients: held %v, %d open, %d requests", held, open, r.fcm.total)
			case chunks == 8 && (!held || open != 40 || r.fcm.total > 25):
				t.Errorf("forty recipients: held %v, %d open, %d requests", held, open, r.fcm.total)
			}
		})
	}
}

// TestBrakeLedgerAway: a verdict that can't be written is heeded, and written later.
func TestBrakeLedgerAway(t *testing.T) {
	t.Parallel()
	in(t, 300, nil, func(r *rig) {
		r.platform(1, "", push.CodePayloadInvalid)
		r.stuck = time.Now().Add(20 * time.Second)
		r.finish()
		if !r.progress().Held.Stopped(push.PartUnknown) || r.fcm.total > 20 || r.line().State != ledger.StateParked || len(r.out.held) != 1 {
			t.Errorf("held %+v, %d requests, line is %s", r.progress().Held, r.fcm.total, r.line().State)
		}
	})
}

// TestBrakeExpires: what is held ends with its time.
func TestBrakeExpires(t *testing.T) {
	t.Parallel()
	in(t, 100, func(r *rig) { r.change(func(n *push.Notification) { n.TTL = time.Hour }) }, func(r *rig) {
		r.platform(1, "", push.CodePayloadInvalid)
		r.finish()
		time.Sleep(2 * time.Hour)
		r.resume(false)
		if got := r.codes()[push.CodeExpired]; got != 100 || r.fcm.total != 20 {
			t.Errorf("%v after %d requests", r.codes(), r.fcm.total)
		}
	})
}

// TestBrakeRaces: resumed while a chunk is being parked, somebody sends it.
func TestBrakeRaces(t *testing.T) {
	t.Parallel()
	in(t, 100, nil, func(r *rig) {
		r.platform(1, "", push.CodePayloadInvalid)
		r.saves.Before = func(l ledger.Line) error {
			if l.State == ledger.StateParked {
				r.saves.Before = nil
				r.letGo(true) // the operator does not see this line as parked
			}
			return nil
		}
		r.finish()
		if got := r.codes()[push.CodePayloadInvalid]; got != 100 {
			t.Errorf("%v", r.codes())
		}
	})
}
