package predict

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// Devices is the registry as predictions need it.
type Devices interface {
	// DevicesByAddress returns the devices among up to 1000 addresses.
	DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error)
}

// DeviceScreen objects to recipients whose device has been quarantined since, and to
// addresses that no longer belong to the device or user of the letter: a message for one
// user must not reach the next user of the same phone.
type DeviceScreen struct{ Devices Devices }

// Screen implements [Screen].
func (s DeviceScreen) Screen(ctx context.Context, tenant string, rs []push.Recipient) ([]push.Code, error) {
	addresses := make([]push.Address, 0, len(rs))
	for i := range rs {
		if rs[i].Address.Kind.IsDevice() {
			addresses = append(addresses, rs[i].Address)
		}
	}
	codes := make([]push.Code, len(rs))
	if len(addresses) == 0 {
		return codes, nil
	}
	known, err := s.Devices.DevicesByAddress(ctx, tenant, addresses)
	if err != nil {
		return nil, fmt.Errorf("look up %d devices: %w", len(addresses), err)
	}
	for i := range rs {
		if rs[i].Address.Kind.IsDevice() {
			d, ok := known[rs[i].Address]
			codes[i] = objection(&rs[i], &d, ok)
		}
	}
	return codes, nil
}

// objection returns the code of what stands against a recipient, CodeOpen if nothing does.
// An address that the registry never knew is sent to, as it was the first time.
func objection(r *push.Recipient, d *push.Device, registered bool) push.Code {
	switch {
	case !registered && (r.DeviceID != "" || r.UserID != ""):
		return push.CodeNoDevice
	case !registered:
		return push.CodeOpen
	case !d.Sendable():
		return push.CodeDeviceQuarantined
	case r.UserID != "" && d.UserID != r.UserID, r.DeviceID != "" && d.ID != r.DeviceID:
		return push.CodeNoDevice
	}
	return push.CodeOpen
}
