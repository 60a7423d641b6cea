package push

import (
	"maps"
	"testing"
)

func TestMergeData(t *testing.T) {
	t.Parallel()
	base, over := map[string]string{"a": "1", "b": "1"}, map[string]string{"b": "2", "c": "2"}
	want := map[string]string{"a": "1", "b": "2", "c": "2"}
	if got := MergeData(base, over); !maps.Equal(got, want) {
		t.Errorf("merged to %v, want %v", got, want)
	}
	if len(base) != 2 || base["b"] != "1" || len(over) != 2 {
		t.Error("the arguments were changed")
	}
	if got := MergeData(nil, nil); got == nil || len(got) != 0 {
		t.Errorf("nothing merged is %v", got)
	}
}
