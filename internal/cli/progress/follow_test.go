package progress

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
)

// updates is a watch of a batch of 1,000 that sends 100 a second, of which two
// in a hundred fail; from 600 on it says nothing for 12 s, and then it is done.
func updates(ctx context.Context, end error) iter.Seq2[client.BatchProgress, error] {
	return func(yield func(client.BatchProgress, error) bool) {
		for decided := int64(0); decided <= 600; decided += 100 {
			rate := 100.0
			n := client.Notification{ID: "bat_1", State: "sending", Rate: &rate, Counts: &client.Counts{
				Accepted: 1000, Open: 1000 - decided, Sent: decided * 98 / 100, Permanent: decided / 50,
				ByCode: map[client.Code]int64{"sent": decided * 98 / 100, "fcm.unregistered": decided / 50},
			}}
			if !yield(client.BatchProgress{Notification: n}, nil) {
				return
			}
			if sleep(ctx, time.Second) != nil {
				yield(client.BatchProgress{}, context.Cause(ctx))
				return
			}
		}
		time.Sleep(12 * time.Second)
		if end != nil {
			yield(client.BatchProgress{}, end)
			return
		}
		n := client.Notification{ID: "bat_1", State: "completed", Counts: &client.Counts{
			Accepted: 1000, Sent: 980, Permanent: 20, ByCode: map[client.Code]int64{
				"sent": 980, "fcm.unregistered": 12, "expired": 3, "duplicate": 2, "b": 1, "a": 1, "c": 1,
			},
		}}
		yield(client.BatchProgress{Notification: n, Last: true}, nil)
	}
}

func TestFollowPlain(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		n, err := New(&out, false).Follow(t.Context(), updates(t.Context(), nil))
		if err != nil || n.State != client.StateCompleted {
			t.Fatalf("Follow = %+v, %v", n, err)
		}
		want := `sending: 588 sent, 12 failed, 400 open, 100/s, ETA 4s; fcm.unregistered 12
sending: 588 sent, 12 failed, 400 open, 100/s, ETA 4s; fcm.unregistered 12
`
		// The first line falls together with an update.
		if _, lines, _ := strings.Cut(out.String(), "\n"); lines != want {
			t.Errorf("lines (-want +got):\n%s", cmp.Diff(want, lines))
		}
	})
}

func TestFollowBar(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if _, err := New(&out, true).Follow(t.Context(), updates(t.Context(), nil)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"sending [", "392 sent, 8 failed, 600 open, 100/s, ETA 6s", "\n  fcm.unregistered 8\n",
			"completed [", "980 sent, 20 failed, 0 open", "\n  fcm.unregistered 12, expired 3, duplicate 2, a 1, 2 other codes 2\n",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("nothing says %q in %q", want, out.String())
			}
		}
	})
}

func TestFollowEndings(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("lost")
		n, err := New(&strings.Builder{}, false).Follow(t.Context(), updates(t.Context(), lost))
		if !errors.Is(err, lost) || n.Counts == nil || n.Counts.Open != 400 {
			t.Errorf("lost: %+v, %v", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := New(&strings.Builder{}, true).Follow(ctx, updates(ctx, nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
	})
}
