package deadletters

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters/deadletterstest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/replay"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// config is what a test may change of a rig.
type config struct {
	door.Config

	letters Letters
}

// rig is a door on the real rooms, which asks for no key: every request is the
// operator's.
type rig struct {
	*doortest.Caller

	replays *replay.Room
}

func setup(tb testing.TB, change ...func(*config)) *rig {
	tb.Helper()
	kept, replays := deadletterstest.Rooms(tb)
	c := config{letters: kept, Config: door.Config{
		Answers: &doortest.Answers{}, Auth: access.Keys{}, Pages: doortest.OwnPages(tb), Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
		Now: deadletterstest.Now, Rooms: Refusal,
	}}
	for _, f := range change {
		f(&c)
	}
	return &rig{Caller: doortest.New(tb, c.Config, Routes(c.letters, replays)), replays: replays}
}
