package guard

import (
	"testing"
	"time"
)

// answers gives blocks with so many good answers in 40 each, and counts the cuts.
func answers(c *climb, now *time.Duration, blocks, good int) (cuts int) {
	for range blocks {
		for i := range climbBlock {
			*now += 10 * time.Millisecond
			if _, over := c.answered(*now, i < good); over {
				cuts++
			}
		}
	}
	return cuts
}

// A climb is cut when more fails than at first, and is slower from then on; not by an
// outage, nor by a share that fails whatever the rate is.
func TestClimb(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		blocks [][2]int // how many, and the good answers in each
		cuts   int
		slower float64
	}{
		{"all is well", [][2]int{{100, 39}}, 0, 1},
		{"two of five fail", [][2]int{{100, 24}}, 0, 1},
		{"one bad block", [][2]int{{10, 40}, {1, 20}, {10, 40}}, 0, 1},
		{"past what it bears", [][2]int{{10, 40}, {2, 28}, {20, 40}}, 1, 2},
		{"twice", [][2]int{{10, 40}, {2, 28}, {20, 40}, {2, 28}, {20, 40}}, 2, 4},
		{"an outage", [][2]int{{3, 40}, {1, 10}, {20, 0}, {20, 40}}, 0, 1},
		{"cuts do not help", [][2]int{{10, 40}, {100, 24}}, climbCuts, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, now, cuts := climb{}, time.Duration(0), 0
			for _, b := range tc.blocks {
				cuts += answers(&c, &now, b[0], b[1])
			}
			if cuts != tc.cuts || c.factor() != tc.slower {
				t.Errorf("%d cuts, %v times slower, want %d and %v", cuts, c.factor(), tc.cuts, tc.slower)
			}
		})
	}
}
