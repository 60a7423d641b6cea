package table

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSortable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) time.Time {
			return time.UnixMicro(rapid.Int64Range(-1<<55, 1<<55).Draw(t, name)).UTC()
		}
		a, b := draw("a"), draw("b")
		if a.Compare(b) != strings.Compare(Sortable(a), Sortable(b)) {
			t.Fatalf("%v and %v sort as %s and %s", a, b, Sortable(a), Sortable(b))
		}
		if back, err := ParseSortable(Sortable(a)); err != nil || !back.Equal(a) {
			t.Fatalf("%v came back as %v, %v", a, back, err)
		}
	})
	for _, bad := range []string{"", "x", "0123", "0123456789abcdef0", "gggggggggggggggg", "+123456789abcdef"} {
		if _, err := ParseSortable(bad); err == nil {
			t.Errorf("%q was taken for a time", bad)
		}
	}
}
