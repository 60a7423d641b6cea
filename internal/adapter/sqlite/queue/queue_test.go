package queue

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestQueueConfigIsChecked(t *testing.T) {
	t.Parallel()
	w := openWatch(t, t.TempDir())
	for _, c := range []struct {
		test, name string
		cfg        Config
		want       string // in the error; "" means none
	}{
		{"defaults", "work", Config{}, ""},
		{"everything", "work", Config{Visibility: worker.MaxVisibility, MaxReceives: 1000, DeadLetterQueue: "dead"}, ""},
		{"no name", "", Config{}, "queue name"},
		{"odd name", "a b", Config{}, `"a b"`},
		{"long name", strings.Repeat("q", 81), Config{}, "1..80"},
		{"negative visibility", "work", Config{Visibility: -1}, "visibility"},
		{"long visibility", "work", Config{Visibility: worker.MaxVisibility + 1}, "12h0m0s"},
		{"too many receives", "work", Config{MaxReceives: 1001, DeadLetterQueue: "dead"}, "1001"},
		{"receives without a dead-letter queue", "work", Config{MaxReceives: 3}, "dead-letter queue"},
		{"dead-letter queue without receives", "work", Config{DeadLetterQueue: "dead"}, "max receives"},
		{"its own dead-letter queue", "work", Config{MaxReceives: 3, DeadLetterQueue: "work"}, "its own"},
		{"odd dead-letter queue", "work", Config{MaxReceives: 3, DeadLetterQueue: "a/b"}, `"a/b"`},
	} {
		t.Run(c.test, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), w, c.name, c.cfg)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("Open: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Open: %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestCloseEndsWaitingReceive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := openWatch(t, t.TempDir())
		q := openQueue(t, w, "work", Config{})
		out := make(chan error)
		go func() {
			_, err := q.Receive(t.Context(), 1, worker.MaxWait)
			out <- err
		}()
		synctest.Wait()
		shut(t, w)
		if err := <-out; !errors.Is(err, db.ErrClosed) {
			t.Errorf("Receive: %v, want ErrClosed", err)
		}
		if _, err := q.Receive(t.Context(), 1, worker.MaxWait); !errors.Is(err, db.ErrClosed) {
			t.Errorf("Receive after close: %v, want ErrClosed", err)
		}
	})
}

// Two files opened on one directory stand for two processes: neither rings the
// other's bells.
func TestReceiveNoticesOthersCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		mine := openQueue(t, openWatch(t, dir), "work", Config{})
		theirs := openQueue(t, openWatch(t, dir), "work", Config{})
		out := make(chan int)
		receive := func() {
			msgs, err := mine.Receive(t.Context(), 1, worker.MaxWait)
			if err != nil {
				t.Error(err)
			}
			out <- len(msgs)
		}
		for _, c := range []struct {
			delay, most time.Duration
		}{
			{0, watchEvery},
			{3 * time.Second, 3 * time.Second},
		} {
			go receive()
			synctest.Wait()
			start := time.Now()
			if err := theirs.Send(t.Context(), []worker.Outgoing{{Body: []byte("x"), Delay: c.delay}}); err != nil {
				t.Fatal(err)
			}
			if n := <-out; n != 1 {
				t.Errorf("received %d messages, want 1", n)
			}
			if took := time.Since(start); took > c.most {
				t.Errorf("woke after %v, want at most %v", took, c.most)
			}
		}
	})
}

// All handles of a queue wait at one bell, and a redrive rings that of the
// dead-letter queue.
func TestRedriveWakesTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := openWatch(t, t.TempDir())
		work := openQueue(t, w, "work", Config{MaxReceives: 1, DeadLetterQueue: "dead", Visibility: time.Second})
		dead := openQueue(t, w, "dead", Config{})
		if err := work.Send(t.Context(), []worker.Outgoing{{Body: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		if msgs, err := work.Receive(t.Context(), 1, 0); err != nil || len(msgs) != 1 {
			t.Fatalf("received %d messages, %v", len(msgs), err)
		}
		out := make(chan []worker.Message)
		go func() {
			msgs, err := dead.Receive(t.Context(), 1, worker.MaxWait)
			if err != nil {
				t.Error(err)
			}
			out <- msgs
		}()
		synctest.Wait()
		start := time.Now()
		if msgs, err := work.Receive(t.Context(), 1, 2*time.Second); err != nil || len(msgs) != 0 {
			t.Fatalf("received %d messages, %v; want none", len(msgs), err)
		}
		msgs := <-out
		if len(msgs) != 1 || msgs[0].Receives != 2 || string(msgs[0].Body) != "x" {
			t.Errorf("dead letters %v, want one, received twice", msgs)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestBellPassesAnUnheardRingOn(t *testing.T) {
	t.Parallel()
	var b bell
	now := func() int64 { return 0 }
	first, second, third := b.join(now), b.join(now), b.join(now)
	b.ring()
	b.leave(second) // was not rung
	b.leave(first)  // was, and did not hear it
	select {
	case <-third.rung:
	default:
		t.Error("the ring got lost")
	}
	b.leave(third)
	b.ring() // nobody is there
}

func FuzzReceipt(f *testing.F) {
	for _, s := range []string{"1.1", "7.12", "", ".", "1", "0.1", "1.0", "-1.1", "+1.1", "1.1.1", "99999999999999999999.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseReceipt(s)
		if err != nil {
			return
		}
		again, err := parseReceipt(r.String())
		if err != nil || again != r {
			t.Errorf("%q parses as %v, and its text as %v, %v", s, r, again, err)
		}
	})
}

// Times that no delay can explain, as in a file of another machine or of another
// time, keep no message for ever.
func TestDueBeyondAnyDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := openWatch(t, t.TempDir())
		q := openQueue(t, w, "work", Config{})
		if err := q.Send(t.Context(), []worker.Outgoing{{Body: []byte("held")}, {Body: []byte("delayed"), Delay: time.Minute}}); err != nil {
			t.Fatal(err)
		}
		if msgs, err := q.Receive(t.Context(), 1, 0); err != nil || len(msgs) != 1 {
			t.Fatalf("received %d messages, %v", len(msgs), err)
		}
		const year = 365 * 24 * 3600 * 1000
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE message SET due = due + ?`, year)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(agreeEvery)
		if msgs, err := q.Receive(t.Context(), 2, time.Second); err != nil || len(msgs) != 2 {
			t.Errorf("received %d messages, %v", len(msgs), err)
		}
	})
}
