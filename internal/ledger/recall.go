package ledger

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// recaller is the owner for the moment in which a line is taken from one that is
// not coming back.
const recaller = "recall"

// Recall returns the line as it waits for a new message in place of one that is
// lost, and with it the turn that this message carries. Copies of the old one
// are stale from then on, should they turn up. What an owner that vanished may
// have sent is flagged, as by a claim; who is suspected of killing workers stays
// so. The message must hold every open cell.
//
// Errors are [ErrClosed], and [ErrBusy] while the line's owner lives.
func (l Line) Recall(now time.Time) (Line, error) {
	next, err := l.Claim(recaller, l.Turn, now)
	if err != nil {
		return l, err
	}
	next = next.HandBack(StateWaiting, l.Turn+1, now)
	if l.Vanished > 0 {
		next.Reserve(l.ReservedFrom, l.Reserved)
	}
	if l.Due.After(now) {
		next.Due = l.Due
	}
	return next, nil
}

// Conclude returns the line as finished without another send: every open cell
// gets the outcome code, or unknown if it may have been delivered and must not
// be sent again ([push.AtMostOnce]). Errors are those of [Line.Recall].
func (l Line) Conclude(code push.Code, atMostOnce bool, now time.Time) (Line, error) {
	next, err := l.Claim(recaller, l.Turn, now)
	if err != nil {
		return l, err
	}
	for i, c := range next.Cells {
		if atMostOnce && c.Open() && c.PossibleDuplicate() {
			next.Settle(i, push.CodeUnknown, false)
		}
		next.Settle(i, code, false)
	}
	return next.Close(now), nil
}
