package devices

import (
	"database/sql"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

// TestAddressesWithTheSameKey forges what happens once in many millions: another
// address, or another tenant's, has the same 8 bytes of hash.
func TestAddressesWithTheSameKey(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	mine, other, theirs := benchDevice(1), benchDevice(2), benchDevice(3)
	theirs.Tenant, theirs.Address = "another", mine.Address
	if err := s.PutDevices(t.Context(), []push.Device{other, theirs}); err != nil {
		t.Fatal(err)
	}
	err := s.file.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE device SET address_key = ?`, addressKey(mine.Tenant, mine.Address))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	find := func() map[push.Address]push.Device {
		t.Helper()
		found, err := s.DevicesByAddress(t.Context(), mine.Tenant, []push.Address{mine.Address})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	reach := func() map[push.Address]push.Reach {
		t.Helper()
		found, err := s.ReachByAddress(t.Context(), mine.Tenant, []push.Address{mine.Address})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := find(); len(found) != 0 || len(reach()) != 0 {
		t.Errorf("found %d and %d devices of other addresses", len(found), len(reach()))
	}
	note := push.DeviceNote{Address: mine.Address, Code: push.CodeSent, At: benchTime()}
	if err := s.RecordDevices(t.Context(), mine.Tenant, []push.DeviceNote{note}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutDevices(t.Context(), []push.Device{mine}); err != nil {
		t.Fatal(err)
	}
	if found := find(); len(found) != 1 || found[mine.Address].ID != mine.ID || !reach()[mine.Address].Sendable {
		t.Errorf("found %d devices, want %s", len(found), mine.ID)
	}
	for _, d := range []push.Device{other, theirs} {
		if _, err := s.Device(t.Context(), d.Tenant, d.ID); err != nil {
			t.Errorf("a device with the same key was removed: %v", err)
		}
	}
}
