package sqlite

import (
	"os"
	"strings"
	"testing"
)

// TestCachesAreStated: docs/performance.md says how much memory SQLite's caches take at most.
func TestCachesAreStated(t *testing.T) {
	t.Parallel()
	const readers, twice = 4, 2
	kib := 0
	for _, f := range dataFiles() {
		kib += f.cache.Writer + readers*f.cache.Reader
	}
	doc, err := os.ReadFile("../../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if kib != 36<<10 || !strings.Contains(string(doc), "That is 36 MiB, of which the driver's allocator makes 72 ") {
		t.Errorf("the caches hold %d KiB and take %d", kib, twice*kib)
	}
}
