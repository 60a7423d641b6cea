package guard

import (
	"math"
	"time"
)

const (
	// climbBlock is how many answers are judged together while a throttle climbs: few
	// enough to notice within a tenth of a second at a good rate, many enough that two bad
	// ones in a row are no chance.
	climbBlock = 40
	// climbKeeps is the part of its usual good answers below which a block is bad: the
	// rate has got past what the provider bears.
	climbKeeps = 0.9
	// climbBack is how far below that the climb begins anew.
	climbBack = 0.9
	// climbSlowest is how much slower a climb becomes that was cut off again and again.
	climbSlowest = 8
	// climbCuts is how many cuts in a row may not help until it is not the rate: others
	// that share the provider cut too, but not at the same time.
	climbCuts = 5
	// climbKept is how long what was found out counts after the throttle has ended.
	climbKept = time.Minute
	// climbDeaf is how long after a cut answers say nothing: they are to requests of before.
	climbDeaf = time.Second
)

// climb finds out whether a throttle that lets more and more through has got past what
// the provider bears. A provider that fails a share of whatever it is asked fails no more
// of it when it is asked for more, so only what is worse than before in the same climb
// counts; and if cuts do not help, it was not the rate. The zero value is the
// beginning of a climb. Not safe for concurrent use.
type climb struct {
	recent  float64 // share of healthy answers in the latest blocks
	usual   float64 // the highest of it; 0: nothing is known yet
	n, good int     // of the block under way
	bad     int     // blocks in a row that were bad
	cuts    int     // in a row: nothing was good since the first of them
	slower  int     // than at first, by this factor; 0: as at first
	deaf    time.Duration
}

// answered counts an answer. If the rate has got past what the provider bears, it
// returns what the rate has to be multiplied with.
func (c *climb) answered(now time.Duration, healthy bool) (cut float64, over bool) {
	if now < c.deaf {
		return 1, false
	}
	c.n++
	if healthy {
		c.good++
	}
	if c.n < climbBlock {
		return 1, false
	}
	share := float64(c.good) / climbBlock
	c.n, c.good = 0, 0
	if share*goodShare < 1 { // as good as gone: a climb begins when it is back
		*c = climb{}
		return 1, false
	}
	if c.usual == 0 || share >= c.least() {
		c.learn(share)
		return 1, false
	}
	if c.bad++; c.bad < 2 {
		return 1, false
	}
	if c.cuts == climbCuts { // they did not help
		c.recent, c.usual, c.slower = share, share, 0
		c.learn(share)
		return 1, false
	}
	cut = climbBack * share / c.usual
	c.bad, c.cuts, c.deaf = 0, c.cuts+1, now+climbDeaf
	c.slower = min(max(1, c.slower)*2, climbSlowest)
	return cut, true
}

// learn takes a good block for what is usual.
func (c *climb) learn(share float64) {
	const blocks = 10
	c.bad, c.cuts = 0, 0
	if c.recent += (share - c.recent) / blocks; c.usual == 0 {
		c.recent = share
	}
	c.usual = max(c.usual, c.recent)
}

// least is the share of healthy answers below which a block is bad, three standard
// deviations included.
func (c *climb) least() float64 {
	const rare, deviations = 0.05, 3 // some fail always
	chance := max(c.usual*(1-c.usual), rare*(1-rare))
	return climbKeeps*c.usual - deviations*math.Sqrt(chance/climbBlock)
}

// factor is how much slower the climb is than at first.
func (c *climb) factor() float64 { return float64(max(1, c.slower)) }
