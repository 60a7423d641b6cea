package ledger

// SuspectAfter is how many owners in a row may vanish over a line before its
// recipients are suspected of killing them: two may be a deploy.
const SuspectAfter = 2

// Vanish returns the line, as read, with its owner counted as one that died. The
// caller knows that from the queue: a message that comes again had no verdict.
// A line that nobody holds is returned as it is.
func (l Line) Vanish() Line {
	if l.State == StateClaimed {
		l.Vanished++
	}
	return l
}

// Suspected tells whether so many owners vanished in a row that the line's
// recipients may be sent to only in small groups, one group at a time.
func (l *Line) Suspected() bool { return l.Vanished >= SuspectAfter }

// Reserves tells whether cell i is open and in the reserved range.
func (l *Line) Reserves(i int) bool {
	return i >= l.ReservedFrom && i < l.Reserved && l.Cells[i].Open()
}

// UnderWay tells whether the last owner may have been sending to cell i when it
// vanished. In a line that nobody holds nothing is under way; if it has a range
// all the same, its suspects are there.
func (l *Line) UnderWay(i int) bool { return l.State == StateClaimed && l.Reserves(i) }

// Reserve sets the range of cells, [from, to), that the owner may send to
// before its next save. It takes effect when the line is stored.
func (l *Line) Reserve(from, to int) { l.ReservedFrom, l.Reserved = from, to }
