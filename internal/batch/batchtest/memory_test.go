package batchtest_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &batchtest.Memory{}
	batchtest.Run(t, func(*testing.T) batch.Pages { return store }, batchtest.Features{})
}

// An Around with nothing to do is the store itself, call by call.
func TestConformanceAround(t *testing.T) {
	t.Parallel()
	store := batchtest.Around{Pages: &batchtest.Memory{}}
	batchtest.Run(t, func(*testing.T) batch.Pages { return store }, batchtest.Features{})
}

func TestAroundHidesTheAnswer(t *testing.T) {
	t.Parallel()
	store, lost := &batchtest.Memory{}, errors.New("the answer was lost")
	faulty := batchtest.Around{Pages: store, Do: func(op string, effect func() error) error {
		if err := effect(); err != nil || op != "PutPage" {
			t.Errorf("%s: %v", op, err)
		}
		return lost
	}}
	_, err := faulty.PutPage(t.Context(), "bat_1", push.PagePlan, 0, []byte("plan"))
	if held := store.AllPages("bat_1", push.PagePlan); !errors.Is(err, lost) || string(held[0]) != "plan" {
		t.Errorf("error %v, stored %q", err, held[0])
	}
}
