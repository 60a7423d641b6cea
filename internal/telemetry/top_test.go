package telemetry

import (
	"fmt"
	"slices"
	"testing"
)

// TestTop: whatever names there are, n have a label, and not another one every minute.
func TestTop(t *testing.T) {
	t.Parallel()
	top := NewTop(3)
	choose := func(use map[string]int64, want, wantLost []string) {
		t.Helper()
		shown, lost := top.Choose(use)
		if !slices.Equal(shown, want) || !slices.Equal(lost, wantLost) {
			t.Errorf("%v have a label and %v lost theirs, want %v and %v", shown, lost, want, wantLost)
		}
	}
	choose(map[string]int64{"a": 0}, nil, nil)
	choose(map[string]int64{"a": 5, "b": 1, "c": 9, "d": 2}, []string{"a", "c", "d"}, nil)
	choose(map[string]int64{"a": 5, "b": 3, "c": 9, "d": 2}, []string{"a", "c", "d"}, nil) // not twice as much
	choose(map[string]int64{"a": 5, "b": 5, "c": 9, "d": 2}, []string{"a", "b", "c"}, []string{"d"})
	choose(map[string]int64{"d": 5}, []string{"a", "b", "c"}, nil) // who rests for a moment keeps it
	hostile := map[string]int64{"big": 1 << 40}
	for i := range 10_000 {
		hostile[fmt.Sprintf("t-%d", i)] = int64(i % 7)
	}
	for range 50 {
		if shown, _ := top.Choose(hostile); len(shown) != 3 || !slices.Contains(shown, "big") {
			t.Fatalf("%v", shown)
		}
	}
}
