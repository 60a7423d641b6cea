package devicetest_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &devicetest.Memory{}
	devicetest.Run(t, func(*testing.T) device.Store { return store }, devicetest.Features{})
	devicetest.RunFresh(t, func(*testing.T) device.Store { return store })
}

// An Around with nothing to do is the store itself, call by call.
func TestConformanceAround(t *testing.T) {
	t.Parallel()
	store := devicetest.Around{Store: &devicetest.Memory{}}
	devicetest.Run(t, func(*testing.T) device.Store { return store }, devicetest.Features{})
}

func TestAroundHidesTheAnswer(t *testing.T) {
	t.Parallel()
	store, lost := &devicetest.Memory{}, errors.New("the answer was lost")
	faulty := devicetest.Around{Store: store, Do: func(op string, effect func() error) error {
		if err := effect(); err != nil || op != "PutDevices" {
			t.Errorf("%s: %v", op, err)
		}
		return lost
	}}
	err := faulty.PutDevices(t.Context(), []push.Device{{Tenant: "acme", ID: "a"}})
	if all := store.AllDevices(); !errors.Is(err, lost) || len(all) != 1 || all[0].State != push.DeviceActive {
		t.Errorf("error %v, stored %+v", err, all)
	}
}
