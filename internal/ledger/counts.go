package ledger

import (
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Counts is the sum over lines: how many recipients stand where. It is derived
// from the lines at every reading, never counted up, so it can't drift.
// Summing is O(lines) with a few hundred bytes a line.
type Counts struct {
	Sources            int64      // accepted sources that the summed lines account for
	Recipients         int64      // planned rows
	ByCode             [128]int64 // indexed by push.Code; ByCode[push.CodeOpen] are planned and open
	PossibleDuplicates int64
	Chunks             int64
	ChunksClosed       int64
	ChunksWaiting      int64 // handed back, for a later turn
	PagesPlanned       int
	FirstAt            time.Time // of the first write with an outcome; zero if there was none
	LastAt             time.Time // latest write among the lines
	NextDue            time.Time // earliest time before which a chunk that waits may not be sent; zero if none has one
	Epochs             int64     // sum of the lines' epochs; see Revision
}

// Add sums another line or sum into c.
func (c *Counts) Add(o *Counts) {
	c.Sources += o.Sources
	c.Recipients += o.Recipients
	for i, n := range o.ByCode {
		c.ByCode[i] += n
	}
	c.PossibleDuplicates += o.PossibleDuplicates
	c.Chunks += o.Chunks
	c.ChunksClosed += o.ChunksClosed
	c.ChunksWaiting += o.ChunksWaiting
	c.PagesPlanned += o.PagesPlanned
	c.Epochs += o.Epochs
	c.NextDue = earlier(c.NextDue, o.NextDue)
	c.FirstAt = earlier(c.FirstAt, o.FirstAt)
	if o.LastAt.After(c.LastAt) {
		c.LastAt = o.LastAt
	}
}

// earlier returns the earlier of two times, of which a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// AddCells adds n recipients that stand at cell.
func (c *Counts) AddCells(cell Cell, n int64) {
	c.Recipients += n
	c.ByCode[cell.Code()] += n
	if cell.PossibleDuplicate() {
		c.PossibleDuplicates += n
	}
}

// ByClass returns the counts per class. Open recipients are in ClassOpen.
func (c *Counts) ByClass() map[push.Class]int64 {
	out := make(map[push.Class]int64, len(push.Classes()))
	for i, n := range c.ByCode {
		if n != 0 {
			out[push.Code(i).Class()] += n
		}
	}
	return out
}

// Terminal returns how many recipients have their outcome.
func (c *Counts) Terminal() int64 { return c.Recipients - c.ByCode[push.CodeOpen] }

// Revision returns a number that grows whenever a recipient's cell changes or a
// chunk is planned, and never falls, however and by whom the lines were summed:
// it is derived from them. A settled or flagged cell and a planned chunk add to
// it. Reopening dead-lettered cells takes them out of Terminal, but it is a new
// epoch of the line, which weighs more than all of a line's cells.
func (c *Counts) Revision() int64 {
	const weight = 2 * push.MaxChunkRecipients
	return weight*c.Epochs + c.Chunks + c.Terminal() + c.PossibleDuplicates
}

// Unplanned returns how many accepted sources no chunk accounts for yet.
func (c *Counts) Unplanned(accepted int64) int64 { return max(0, accepted-c.Sources) }

// Done reports whether nothing is open: every page is planned and every
// recipient has its outcome.
func (c *Counts) Done(pages int) bool {
	return c.PagesPlanned >= pages && c.ByCode[push.CodeOpen] == 0
}

// Balance returns an error unless the counts balance (promise 1): the outcomes
// of the taxonomy and the open recipients add up to the planned recipients, and
// no line accounts for more sources than were accepted.
func (c *Counts) Balance(accepted int64) error {
	sum := c.ByCode[push.CodeOpen]
	for _, f := range push.Codes() {
		sum += c.ByCode[f.Code]
	}
	if sum != c.Recipients {
		return fmt.Errorf("ledger: %d recipients, but outcomes and open add up to %d", c.Recipients, sum)
	}
	if c.Sources > accepted {
		return fmt.Errorf("ledger: lines account for %d sources, only %d were accepted", c.Sources, accepted)
	}
	return nil
}
