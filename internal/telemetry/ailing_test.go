package telemetry_test

import (
	"errors"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/telemetry"
)

func TestAiling(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	var a telemetry.Ailing
	away := errors.New("away")
	for i, err := range []error{nil, nil, away, away, errors.New("still"), nil, nil, away} {
		a.Note(zap.New(core), "looking", err)
		if want := []int{0, 0, 1, 1, 1, 2, 2, 3}[i]; logs.Len() != want {
			t.Errorf("after %d notes %d lines, want %d", i+1, logs.Len(), want)
		}
	}
	for i, e := range logs.All() {
		if failing := i != 1; e.Message != "looking" || e.Level != zap.WarnLevel || e.ContextMap()["failing"] != failing {
			t.Errorf("line %d: %+v", i, e)
		}
	}
}
