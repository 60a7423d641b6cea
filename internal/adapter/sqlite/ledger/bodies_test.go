package ledger

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// forget takes the bodies out of the file, behind the store's back.
func forget(t *testing.T, s *Store) {
	t.Helper()
	err := s.file.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM notification_body`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBodyIsReadOnce: whoever accepts, plans or sends a notification reads its body at most once for all of them, and
// always its head.
func TestBodyIsReadOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		read bool // by another store than the one that created it
	}{{"created", false}, {"read", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			n := benchNotification(push.NewID(push.PrefixNotification))
			if _, _, err := s.Create(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if c.read {
				s = New(s.file)
				if _, err := s.Notification(t.Context(), n.ID); err != nil {
					t.Fatal(err)
				}
			}
			forget(t, s)
			next := n.Progress
			next.Version, next.State = 1, push.StateSending
			if err := s.Advance(t.Context(), n.ID, next); err != nil {
				t.Fatal(err)
			}
			got, err := s.Notification(t.Context(), n.ID)
			if err != nil {
				t.Fatal("the body was read again:", err)
			}
			if got.Progress != next || string(got.Message) != string(n.Message) || got.Tenant != n.Tenant {
				t.Errorf("got %+v, want %+v with %+v", got, n, next)
			}
		})
	}
}

// TestKnownBodyOfNobody: a notification that is retired is absent, and one that is created anew under its id has a body of
// its own.
func TestKnownBodyOfNobody(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ids := ended(t, s, 2, 0)
	retire(t, s, aged(t, s)[:1], benchTime())
	if n, err := s.Notification(t.Context(), ids[0]); !errors.Is(err, push.ErrNotFound) {
		t.Fatalf("a retired notification: %+v, %v", n, err)
	}
	if _, err := s.Erase(t.Context(), ids[:1], 100); err != nil {
		t.Fatal(err)
	}
	again := benchNotification(ids[0])
	if _, created, err := s.Create(t.Context(), again); err != nil || !created {
		t.Fatal(created, err)
	}
	if n, err := s.Notification(t.Context(), ids[0]); err != nil || n.Tenant != again.Tenant {
		t.Errorf("%+v, %v; want tenant %s", n, err, again.Tenant)
	}
}

// TestBodiesAreBounded: neither number nor age of what is remembered grows.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	b := bodies{now: func() time.Time { return now }}
	const size = bodiesBytes / 16
	for seq := range int64(100) {
		b.put(seq, push.Notification{Tenant: "acme", Progress: push.Progress{Version: 3}}, size)
		if kept := len(b.young) + len(b.elder); kept > 32 {
			t.Fatalf("%d of them are kept", kept)
		}
	}
	if n, ok := b.get(99); !ok || n.Tenant != "acme" || n.Progress.Version != 0 {
		t.Errorf("the last one: %+v, %v", n, ok)
	}
	if _, ok := b.get(0); ok {
		t.Error("the first one is still kept")
	}
	b.put(1000, push.Notification{}, size+1)
	if _, ok := b.get(1000); ok {
		t.Error("a body is kept in place of many")
	}
	now = now.Add(bodiesFor)
	if _, ok := b.get(99); !ok {
		t.Error("gone with its generation")
	}
	now = now.Add(bodiesFor)
	if _, ok := b.get(99); ok {
		t.Error("kept for longer than two generations last")
	}
}
