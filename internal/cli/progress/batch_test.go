package progress

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
)

// batchOf answers how a batch of 1,000 stands that sends 50 a second, 49 of
// them well, from now on.
func batchOf() func(context.Context) (client.Notification, error) {
	begun := time.Now()
	return func(context.Context) (client.Notification, error) {
		decided := min(1000, int64(50*time.Since(begun)/time.Second))
		n := client.Notification{ID: "bat_1", State: "sending", Counts: &client.Counts{
			Accepted: 1000, Open: 1000 - decided, Sent: decided * 49 / 50, Permanent: decided / 50,
		}}
		if decided == 1000 {
			n.State = client.StateCompleted
		}
		return n, nil
	}
}

func TestPlainLines(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		n, err := Batch(t.Context(), batchOf(), &out, false)
		if err != nil || n.State != client.StateCompleted {
			t.Fatalf("Batch = %+v, %v", n, err)
		}
		want := `sending: 245 sent, 5 failed, 750 open, 50/s, ETA 15s
sending: 490 sent, 10 failed, 500 open, 50/s, ETA 10s
sending: 735 sent, 15 failed, 250 open, 50/s, ETA 5s
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestBars(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		d := New(&out, true)
		time.AfterFunc(2*time.Second, func() { d.Printf("breaker opens: %s", "fcm.unavailable") })
		if _, err := d.Batch(t.Context(), batchOf()); err != nil {
			t.Fatal(err)
		}
		d.Printf("afterwards")
		text := out.String()
		for _, want := range []string{
			"sending ", "245 sent, 5 failed, 750 open, ", "breaker opens: fcm.unavailable\n",
			"completed [", "980 sent, 20 failed, 0 open", "=]",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("nothing says %q in …%q", want, text[len(text)*2/3:])
			}
		}
		if !strings.HasSuffix(text, "afterwards\n") {
			t.Errorf("the last line is not the last: …%q", text[max(0, len(text)-80):])
		}
	})
}

func TestServersEstimateWins(t *testing.T) {
	t.Parallel()

	rate, eta := 1234.5, 61.0
	w := &watch{begun: time.Now()}
	w.take(client.Notification{State: "sending", Recipients: 5, Rate: &rate, ETASeconds: &eta})
	if got, want := w.status(), "0 sent, 0 failed, 5 open, 1,235/s, ETA 1m1s"; got != want {
		t.Errorf("status = %q, want %q", got, want)
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()

	w := &watch{}
	if got := w.label(); got != "waiting" {
		t.Errorf("before the first answer: %q", got)
	}
	for state, want := range map[client.State]string{"accepted": "starting", "paused": "paused"} {
		w.take(client.Notification{State: state})
		if got := w.label(); got != want {
			t.Errorf("label of %s = %q, want %q", state, got, want)
		}
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()

	gone := &client.Problem{Status: 404, Title: "Not Found", Code: "not_found"}
	down := errors.New("connection refused")
	busy := &client.Problem{Status: 429, Title: "Too Many Requests"}
	tests := []struct {
		name  string
		errs  []error // of the first answers; then the batch is completed
		want  error
		polls int
	}{
		{"at once", nil, nil, 1},
		{"a server that comes back", []error{down, down, busy}, nil, 4},
		{"nine failures", []error{down, down, down, down, down, down, down, down, down}, nil, 10},
		{"ten failures", []error{down, down, down, down, down, down, down, down, down, down}, down, 10},
		{"refused", []error{gone}, gone, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				polls := 0
				_, err := Batch(t.Context(), func(context.Context) (client.Notification, error) {
					if polls++; polls <= len(tt.errs) {
						return client.Notification{}, tt.errs[polls-1]
					}
					return client.Notification{State: client.StateCompleted}, nil
				}, &out, false)
				if !errors.Is(err, tt.want) || polls != tt.polls {
					t.Errorf("%d polls, %v; want %d, %v", polls, err, tt.polls, tt.want)
				}
				if said := strings.Contains(out.String(), "no answer, asking again"); said != (len(tt.errs) > 0 && !errors.Is(tt.errs[0], gone)) {
					t.Errorf("output = %q", out.String())
				}
			})
		})
	}
}

func TestSlowServerIsAskedLess(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		polls := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Batch(ctx, func(context.Context) (client.Notification, error) {
			polls++
			time.Sleep(900 * time.Millisecond)
			return client.Notification{State: "sending"}, nil
		}, &strings.Builder{}, false)
		if !errors.Is(err, context.DeadlineExceeded) || polls > 13 {
			t.Errorf("%d polls in a minute, %v", polls, err)
		}
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()

	for _, tty := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(7*time.Second, cancel)
			n, err := Batch(ctx, batchOf(), &strings.Builder{}, tty)
			if !errors.Is(err, context.Canceled) || n.ID != "bat_1" || n.Counts.Sent == 0 {
				t.Errorf("Batch = %+v, %v, want the last answer", n, err)
			}
		})
	}
}

// A bar says what is waited for, and no estimate where there is none.
func TestStatusOfWhatWaits(t *testing.T) {
	t.Parallel()
	n := client.Notification{
		State: client.StateSending, Received: new(int64(100)), Counts: &client.Counts{Accepted: 100, Open: 60, Sent: 40},
		Waiting: &client.Waiting{Reason: client.WaitBreaker, Text: "breaker open until 12:56:34 UTC (fcm.unavailable)"},
	}
	for name, c := range map[string]struct {
		change func(n *client.Notification)
		want   string
	}{
		"the server gives no rate": {
			func(*client.Notification) {}, "40 sent, 0 failed, 60 open, waiting: breaker open until 12:56:34 UTC (fcm.unavailable)",
		},
		"it does": {
			func(n *client.Notification) { n.Waiting, n.Rate, n.ETASeconds = nil, new(2.0), new(30.0) },
			"40 sent, 0 failed, 60 open, 2/s, ETA 30s",
		},
		"no batch": {func(n *client.Notification) { n.Waiting, n.Received = nil, nil }, "40 sent, 0 failed, 60 open, 2/s, ETA 30s"},
		"no batch, and it waits": {
			func(n *client.Notification) { n.Received, n.Waiting.Text = nil, "x" }, "40 sent, 0 failed, 60 open, 2/s, waiting: x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &watch{begun: time.Now()}
				w.take(client.Notification{Counts: &client.Counts{Accepted: 100, Open: 100}})
				now := n
				now.Waiting = new(*n.Waiting)
				c.change(&now)
				time.Sleep(20 * time.Second)
				w.take(now)
				if got := w.status(); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}
