package deliver_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// recorder keeps every request that goes to a sender, and when.
type recorder struct {
	deliver.Sender
	mu   sync.Mutex
	sent []request
}

type request struct {
	at   time.Time
	body string
}

func (s *recorder) Send(ctx context.Context, body []byte) (string, error) {
	s.mu.Lock()
	s.sent = append(s.sent, request{time.Now(), string(body)})
	s.mu.Unlock()
	return s.Sender.Send(ctx, body)
}

// record puts a recorder before the rig's FCM.
func (r *rig) record() *recorder {
	s := &recorder{Sender: r.fcm}
	r.cfg.Sender = s
	return s
}

// options are what a message says about how it is to be delivered.
type options struct{ TTL, Priority, Expiration, APNsPriority, WebTTL, Urgency string }

func optionsOf(t *testing.T, body string) options {
	t.Helper()
	var in struct {
		Message struct {
			Android       struct{ TTL, Priority string }
			APNS, Webpush struct{ Headers map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		t.Fatal(err)
	}
	m := in.Message
	return options{
		m.Android.TTL, m.Android.Priority, m.APNS.Headers["apns-expiration"], m.APNS.Headers["apns-priority"],
		m.Webpush.Headers["TTL"], m.Webpush.Headers["Urgency"],
	}
}

// left is what the options say at a moment of a deadline.
func left(at, deadline time.Time) options {
	seconds := strconv.Itoa(int((deadline.Sub(at) + time.Second - 1) / time.Second))
	return options{TTL: seconds + "s", Expiration: strconv.FormatInt(deadline.Unix(), 10), WebTTL: seconds}
}

// TestTTLGoesOut: what is left of the time at the moment of sending goes to all
// three platforms, to recipients of the shared message and to those with data of
// their own, and less of it with every further attempt.
func TestTTLGoesOut(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(n *push.Notification){
		"ttl":        func(n *push.Notification) { n.TTL = 5 * time.Minute },
		"expires_at": func(n *push.Notification) { n.ExpiresAt = n.AcceptedAt.Add(5 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent *recorder
			in(t, 2, func(r *rig) {
				sent = r.record()
				r.change(limit)
				r.chunk.Recipients[1].Data = map[string]string{"k": "v"}
			}, func(r *rig) {
				deadline := time.Now().Add(5 * time.Minute)
				r.all(answer{code: push.CodeFCMUnavailable}, answer{code: push.CodeFCMUnavailable}, answer{code: push.CodeSent})
				r.finish()
				if len(sent.sent) != 6 {
					t.Fatalf("%d requests", len(sent.sent))
				}
				for i, s := range sent.sent {
					if diff := cmp.Diff(left(s.at, deadline), optionsOf(t, s.body)); diff != "" {
						t.Errorf("request %d (-want +got):\n%s", i, diff)
					}
				}
				if first, last := optionsOf(t, sent.sent[0].body), optionsOf(t, sent.sent[5].body); first.TTL != "300s" || first.TTL == last.TTL {
					t.Errorf("first %v, last %v", first, last)
				}
			})
		})
	}
}

// TestNoTTL: a deadline that nobody asked for bounds how long Belfry tries, and
// says nothing to the platforms.
func TestNoTTL(t *testing.T) {
	t.Parallel()
	in(t, 1, nil, func(r *rig) {
		r.finish()
		if got := optionsOf(t, r.fcm.bodies[name(0)]); got != (options{}) {
			t.Errorf("sent with %+v", got)
		}
	})
}

// TestReplayTTL: a replay's new deadline goes out, of a notification that has
// one and of one that has none, beside recipients whose deadline is the old one.
func TestReplayTTL(t *testing.T) {
	t.Parallel()
	for name, ttl := range map[string]time.Duration{"limited": 24 * time.Hour, "not limited": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent *recorder
			in(t, 2, func(r *rig) {
				sent = r.record()
				r.change(func(n *push.Notification) { n.TTL = ttl })
			}, func(r *rig) {
				begin := time.Now()
				live, replayed := r.chunk, r.chunk
				live.Recipients, live.Index = r.chunk.Recipients[:1], r.chunk.Index[:1]
				replayed.Recipients, replayed.Index = r.chunk.Recipients[1:], r.chunk.Index[1:]
				replayed.ExpiresAt, replayed.Replay = begin.Add(10*time.Minute).UTC(), "rpl_01890a5d-ac96-774b-bcce-b302099a8059"
				for _, c := range []push.Chunk{live, replayed} {
					if v := r.deliver(c); v.word != "ack" {
						t.Fatalf("%+v", v)
					}
					time.Sleep(time.Minute)
				}
				var want options
				if ttl > 0 {
					want = left(sent.sent[0].at, begin.Add(ttl))
				}
				if diff := cmp.Diff([]options{want, left(sent.sent[1].at, begin.Add(10*time.Minute))},
					[]options{optionsOf(t, sent.sent[0].body), optionsOf(t, sent.sent[1].body)}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestPriorityGoesOut: high is high on the phone too.
func TestPriorityGoesOut(t *testing.T) {
	t.Parallel()
	const silent, shown = `{"data":{"k":"v"}}`, `{"notification":{"title":"Hi"}}`
	for _, c := range []struct {
		name, message string
		priority      push.Priority
		want          options
	}{
		{"high, shown", shown, push.PriorityHigh, options{Priority: "high", APNsPriority: "10", Urgency: "high"}},
		{"high, silent", silent, push.PriorityHigh, options{Priority: "high", APNsPriority: "5", Urgency: "high"}},
		{"normal, shown", shown, push.PriorityNormal, options{}},
		{"bulk, silent", silent, push.PriorityBulk, options{APNsPriority: "5"}},
		{
			"the message says otherwise", `{"notification":{},"android":{"priority":"normal"},"apns":{"headers":{"apns-priority":"1"}}}`,
			push.PriorityHigh,
			options{Priority: "normal", APNsPriority: "1", Urgency: "high"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 2, func(r *rig) {
				r.change(func(n *push.Notification) { n.Message, n.Priority = push.Message(c.message), c.priority })
				r.chunk.Recipients[1].CollapseID = "own"
			}, func(r *rig) {
				r.finish()
				for i := range 2 {
					if diff := cmp.Diff(c.want, optionsOf(t, r.fcm.bodies[name(i)])); diff != "" {
						t.Errorf("recipient %d (-want +got):\n%s", i, diff)
					}
				}
			})
		})
	}
}

// TestOwnDataReachesEveryPlatform: android.data replaces the common data, so a
// recipient's own go into both.
func TestOwnDataReachesEveryPlatform(t *testing.T) {
	t.Parallel()
	in(t, 1, func(r *rig) {
		r.change(func(n *push.Notification) {
			n.Message = push.Message(`{"data":{"a":"1"},"android":{"data":{"a":"2"}}}`)
		})
		r.chunk.Recipients[0].Data = map[string]string{"k": "mine"}
	}, func(r *rig) {
		r.finish()
		if body := r.fcm.bodies[name(0)]; strings.Count(body, `"k":"mine"`) != 2 || strings.Count(body, `"belfry_id":"`+ntfID) != 2 {
			t.Errorf("sent %s", body)
		}
	})
}

func TestOverridesGoOut(t *testing.T) {
	t.Parallel()
	in(t, 2, func(r *rig) {
		r.change(func(n *push.Notification) { n.Message = push.Message(`{"notification":{"title":"all","body":"b"}}`) })
		r.chunk.Recipients[0].Override = message.Override{Title: "mine", Badge: new(int32(7))}
	}, func(r *rig) {
		r.finish()
		if body := r.fcm.bodies[name(0)]; !strings.Contains(body, `"title":"mine"`) || !strings.Contains(body, `"badge":7`) ||
			!strings.Contains(body, `"notification_count":7`) || !strings.Contains(body, `"body":"b"`) {
			t.Errorf("sent %s", body)
		}
		if body := r.fcm.bodies[name(1)]; !strings.Contains(body, `"title":"all"`) || strings.Contains(body, "badge") {
			t.Errorf("sent to another %s", body)
		}
	})
}

// TestRefusalsKeepTheirReason: whoever ends as payload.invalid or too large
// without FCM being asked has the reason in the evidence.
func TestRefusalsKeepTheirReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name string
		tune func(r *rig)
		code push.Code
		want string // part of the reason
	}{
		{"the encoder's", func(r *rig) {
			r.cfg.Encoder = encoder{&push.Error{Code: push.CodePayloadInvalid, Detail: "/apns/headers/apns-expiration: must be whole seconds"}}
		}, push.CodePayloadInvalid, "must be whole seconds"},
		{"an error of another kind", func(r *rig) { r.cfg.Encoder = encoder{errors.New("odd")} }, push.CodePayloadInvalid, "odd"},
		{
			"a message that is damaged", func(r *rig) { r.change(func(n *push.Notification) { n.Message = push.Message(`{`) }) },
			push.CodePayloadInvalid, "not a JSON object",
		},
		{"a message too large", func(r *rig) {
			r.change(func(n *push.Notification) { n.Message = push.Message(`{"android":{"data":{"k":"` + long + `"}}}`) })
		}, push.CodePayloadTooLarge, "an Android device would get 50"},
		{"a message too large for a topic", func(r *rig) {
			r.change(func(n *push.Notification) { n.Message = push.Message(`{"data":{"k":"` + long[:3000] + `"}}`) })
			r.chunk.Recipients, r.chunk.Index = r.chunk.Recipients[:1], r.chunk.Index[:1]
			r.chunk.Recipients[0].Address = push.Address{Kind: push.KindTopic, Value: "news"}
		}, push.CodePayloadTooLarge, "at most 2048"},
		{"data of their own that are too large", func(r *rig) {
			for i := range r.chunk.Recipients {
				r.chunk.Recipients[i].Data = map[string]string{"k": long}
			}
		}, push.CodePayloadTooLarge, "with this recipient's data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 60, c.tune, func(r *rig) {
				r.finish()
				n := len(r.chunk.Recipients)
				if got := r.codes()[c.code]; got != n || r.fcm.total != 0 {
					t.Errorf("%d of %d are %s; %d requests", got, n, c.code, r.fcm.total)
				}
				reasons := map[int]string{}
				for i := range r.attempts() {
					if a := &r.attempts()[i]; a.Decided() && a.Code == c.code && strings.Contains(a.Detail, c.want) {
						reasons[a.Cell] = a.Detail
					}
				}
				if len(reasons) != n {
					t.Errorf("%d of %d have a reason with %q: %v", len(reasons), n, c.want, r.attempts()[:1])
				}
			})
		})
	}
}
