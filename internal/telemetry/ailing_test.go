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
		want, level := "a recurring task fails; trying on", zap.WarnLevel
		if i == 1 {
			want, level = "a recurring task works again", zap.InfoLevel
		}
		if e.Message != want || e.Level != level || e.ContextMap()["what"] != "looking" {
			t.Errorf("line %d: %+v", i, e)
		}
	}
}
