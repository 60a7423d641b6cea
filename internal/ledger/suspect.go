package ledger

// SuspectAfter is how many owners in a row may vanish over a line before its
// recipients are suspected of killing them: two may be a deploy.
const SuspectAfter = 2

// ConvictAfter is how many owners must have died in a trial of one recipient
// before it is given up. One such death, or two, may be kills from outside that
// happened to come just then.
const ConvictAfter = 3

// Vanish returns the line, as read, with its owner counted as one that died. The
// caller knows that from the queue: a message that comes again had no verdict.
// A line that nobody holds is returned as it is.
func (l Line) Vanish() Line {
	if l.State != StateClaimed {
		return l
	}
	l.Vanished++
	if l.Trial {
		l.Alone++
	}
	return l
}

// Suspected reports whether so many owners vanished in a row that the line's
// recipients may be sent to only in small groups, one group at a time.
func (l *Line) Suspected() bool { return l.Vanished >= SuspectAfter }

// Convicted reports whether enough owners died in a trial of the one suspect.
func (l *Line) Convicted() bool { return l.Alone >= ConvictAfter }

// Clear forgets all deaths: a turn went well.
func (l *Line) Clear() { l.Vanished, l.Alone, l.Trial = 0, 0, false }

// deathsBits is how many bits of a stored number each count of deaths has.
const deathsBits = 10

// Deaths returns Vanished, Alone and Trial as the one number that stores keep.
// Lines of before there were trials hold Vanished alone, which reads the same.
func (l *Line) Deaths() int64 {
	const most = 1<<deathsBits - 1
	n := int64(min(l.Vanished, most)) | int64(min(l.Alone, most))<<deathsBits
	if l.Trial {
		n |= 1 << (2 * deathsBits)
	}
	return n
}

// SetDeaths is the inverse of [Line.Deaths].
func (l *Line) SetDeaths(n int64) {
	const most = 1<<deathsBits - 1
	l.Vanished, l.Alone, l.Trial = int(n&most), int(n>>deathsBits&most), n>>(2*deathsBits)&1 != 0
}

// Reserves reports whether cell i is open and in the reserved range.
func (l *Line) Reserves(i int) bool {
	return i >= l.ReservedFrom && i < l.Reserved && l.Cells[i].Open()
}

// UnderWay reports whether the last owner may have been sending to cell i when it
// vanished. In a line that nobody holds nothing is under way; if it has a range
// all the same, its suspects are there.
func (l *Line) UnderWay(i int) bool { return l.State == StateClaimed && l.Reserves(i) }

// Reserve sets the range of cells, [from, to), that the owner may send to
// before its next save. It takes effect when the line is stored.
func (l *Line) Reserve(from, to int) { l.ReservedFrom, l.Reserved = from, to }
