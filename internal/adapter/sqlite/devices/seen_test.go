package devices

import (
	"bytes"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

func TestSeenBodyComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := push.Device{
			Tenant: "tenant", State: push.DeviceActive, Source: push.SourceSend, LastFailure: anyCode().Draw(t, "code"),
			Address: push.Address{
				Kind:  rapid.SampledFrom([]push.Kind{push.KindToken, push.KindFID}).Draw(t, "kind"),
				Value: push.Token(rapid.StringN(1, 9, -1).Draw(t, "value")),
			},
			LastSuccessAt: anyTime().Draw(t, "success"), LastFailureAt: anyTime().Draw(t, "failure"), CreatedAt: anyTime().Draw(t, "created"),
		}
		want.UpdatedAt, want.ID = want.CreatedAt, push.SeenID(want.Tenant, want.Address)
		b, err := readSeen(appendSeen(nil, &want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.device("tenant", 0)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
	if _, err := readSeen([]byte{seenFormat + 1, 0, 0, 0, 0, 0, 'x'}); !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("a newer format: %v", err)
	}
}

// FuzzReadSeen: damaged storage is an error, never a panic.
func FuzzReadSeen(f *testing.F) {
	d := benchDevice(1)
	f.Add(appendSeen(nil, &d))
	f.Add([]byte{seenFormat, 1, 0, 0, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := readSeen(body)
		if err != nil {
			return
		}
		d := b.device("tenant", 0)
		if again, err := readSeen(appendSeen(nil, &d)); err != nil || !bytes.Equal(again.value, b.value) {
			t.Fatalf("read as %+v, then as %+v, %v", b, again, err)
		}
	})
}

// floorKey leaves out no id behind a text, and few before it.
func TestFloorKey(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Uint64().Draw(t, "key")
		id := string(seenIDs(key))
		after := rapid.OneOf(
			rapid.String(), rapid.Map(rapid.StringMatching(`[-0-9a-gA-G.~_]{0,40}`), func(s string) string { return "dev_" + s }),
			rapid.Map(rapid.IntRange(0, len(id)), func(n int) string { return id[:n] }),
			rapid.Map(rapid.IntRange(0, len(id)), func(n int) string { return id[:n] + string(rune(r.IntN(94)+33)) }),
		).Draw(t, "after")
		floor, ok := floorKey(after)
		if id > after && (!ok || key < floor) {
			t.Fatalf("%s is behind %q, but its key %x is below %x, %t", id, after, key, floor, ok)
		}
		if form, is := push.SeenKeyOf(push.ID(after)); is && (!ok || floor > form || form-floor >= 1<<16) {
			t.Fatalf("%q begins at %x, %t", after, floor, ok)
		}
	})
}

// seenIDs is the least id of a key: the form of push.SeenID.
func seenIDs(key uint64) push.ID {
	const digits = "0123456789abcdef"
	at := func(n int) byte { return digits[key>>(64-4*n-4)&15] }
	var b strings.Builder
	b.WriteString("dev_")
	for n := range 15 {
		switch n {
		case 8:
			b.WriteByte('-')
		case 12:
			b.WriteString("-8")
		}
		b.WriteByte(at(n))
	}
	b.WriteByte('-')
	last := key & 15
	b.WriteByte(digits[8|last>>2])
	b.WriteByte(digits[last&3<<2])
	b.WriteString("00-000000000000")
	return push.ID(b.String())
}

func TestSeenIDsForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Uint64().Draw(t, "key")
		if got, ok := push.SeenKeyOf(seenIDs(key)); !ok || got != key {
			t.Fatalf("%x became %s, %x, %t", key, seenIDs(key), got, ok)
		}
	})
}

// TestRecordedWithTheSameKey forges what happens once in ten million: another address has
// the same 8 bytes of hash. Alive it is not recorded, dead it is.
func TestRecordedWithTheSameKey(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	notes := benchNotes(0, 2)
	mine, other := notes[0], notes[1]
	if err := s.RecordDevices(t.Context(), "tenant", []push.DeviceNote{other}); err != nil {
		t.Fatal(err)
	}
	err := s.file.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE seen SET key = ?`, addressKey("tenant", mine.Address))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := func() int {
		t.Helper()
		found, err := s.DevicesByAddress(t.Context(), "tenant", []push.Address{mine.Address})
		reach, reachErr := s.ReachByAddress(t.Context(), "tenant", []push.Address{mine.Address})
		if err != nil || reachErr != nil || len(found) != len(reach) {
			t.Fatal(len(found), len(reach), err, reachErr)
		}
		return len(found)
	}
	if err := s.RecordDevices(t.Context(), "tenant", []push.DeviceNote{mine}); err != nil || found() != 0 {
		t.Errorf("found %d, %v", found(), err)
	}
	mine.Quarantine, mine.Code = true, push.CodeFCMUnregistered
	gone, err := s.NoteDevices(t.Context(), "tenant", []push.DeviceNote{mine})
	if err != nil || len(gone) != 1 || found() != 1 {
		t.Fatalf("%d quarantined, %d found, %v", len(gone), found(), err)
	}
	if d, err := s.Device(t.Context(), "tenant", gone[0].ID); err != nil || d.Address != mine.Address || d.State != push.DeviceQuarantined {
		t.Errorf("by id: %+v, %v", d, err)
	}
}

// TestListingPassesMarks: a page that begins among ids in use elsewhere ends no earlier for
// them, and all pages together are all devices, in order.
func TestListingPassesMarks(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	const devices = 40
	if err := s.RecordDevices(t.Context(), "tenant", benchNotes(0, devices)); err != nil {
		t.Fatal(err)
	}
	err := s.file.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO seen (tenant, key, quarantined_at, body) SELECT tenant, key - 1, 0, x'' FROM seen`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 3, devices} {
		var ids []push.ID
		for cursor := ""; ; {
			page, next, err := s.Devices(t.Context(), "tenant", "", cursor, limit)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				ids = append(ids, page[i].ID)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		if len(ids) != devices || !slices.IsSorted(ids) {
			t.Errorf("by %d: %d devices, in order %t", limit, len(ids), slices.IsSorted(ids))
		}
	}
}
