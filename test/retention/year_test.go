package retention

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLevelOverAYear: after a year of daily batches no file is larger than when the first
// records had reached their age.
func TestLevelOverAYear(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	room := h.room()
	first := map[string]int64{}
	for d := range 366 {
		h.live(d)
		h.must(room.Pass(t.Context()))
		if d != 120 && d != 240 && d != 365 {
			continue
		}
		h.close() // which moves the logs into the files
		for name, size := range h.sizes() {
			if first[name] == 0 {
				first[name] = size
			}
			t.Logf("day %d: %s has %d KiB", d, name, size>>10)
			const grown = 1.03
			if float64(size) > grown*float64(first[name]) {
				t.Errorf("day %d: %s has %d bytes, %d at first", d, name, size, first[name])
			}
		}
		h.open()
		room = h.room()
	}
}

// sizes are those of the files, of a directory that nobody has open.
func (h *house) sizes() map[string]int64 {
	h.tb.Helper()
	out := map[string]int64{}
	for _, name := range []string{"queue.db", "store.db", "pages.db"} {
		info, err := os.Stat(filepath.Join(h.dir, name))
		h.must(err)
		out[name] = info.Size()
	}
	return out
}
