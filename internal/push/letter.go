package push

import (
	"slices"
	"time"
)

// LetterKind says what a dead letter is about.
type LetterKind string

// The kinds of dead letter.
const (
	// LetterRecipient is one recipient of a chunk, given up after its attempts.
	LetterRecipient LetterKind = "recipient"
	// LetterMessage is a whole queue message that nobody could handle, byte for byte.
	LetterMessage LetterKind = "message"
)

// LetterState is where a dead letter stands in the dead-letter store.
type LetterState string

// The states of a dead letter. Legal transitions are in [CanMoveLetter].
const (
	LetterParked    LetterState = "parked"    // waits for an operator
	LetterReplaying LetterState = "replaying" // claimed by a replay, which may have sent it already
	LetterReplayed  LetterState = "replayed"  // sent again, once; Outcome says what came of it
	LetterDiscarded LetterState = "discarded" // given up by somebody who said why: a tombstone
)

// LetterStates lists every state in the order of a letter's life.
func LetterStates() []LetterState {
	return []LetterState{LetterParked, LetterReplaying, LetterReplayed, LetterDiscarded}
}

//nolint:gochecknoglobals // the state machine's table; read-only
var letterMoves = map[LetterState][]LetterState{
	LetterParked:    {LetterReplaying, LetterDiscarded},
	LetterReplaying: {LetterParked, LetterReplayed},
	LetterReplayed:  {LetterReplayed}, // learns its outcome
	LetterDiscarded: nil,
}

// CanMoveLetter reports whether a letter may go from one state to another.
func CanMoveLetter(from, to LetterState) bool { return slices.Contains(letterMoves[from], to) }

// Letter is one dead letter with its story. What is above State never changes;
// what is below changes only through a [LetterMove]. It prints its address
// redacted; its JSON holds it, for storage and export.
type Letter struct {
	ID       ID
	Kind     LetterKind
	Tenant   string // "" where a message did not say
	App      string // FCM project
	Queue    string // source queue on which it died
	Code     Code   // why it is dead
	LastCode Code   // recipient: what the last attempt came to; CodeOpen for a message
	Detail   string // last evidence: FCM's words or an error text, without tokens
	Attempts int    // recipient: tries of the last series; message: receives
	Series   int    // replays that this recipient had been through before it died
	ReplayOf ID     // the replay after which it died (again), "" for the first death

	Notification ID // "" for a message that names none
	Seq          int
	Cell         int       // recipient: its cell in the chunk's line; message: -1
	Turn         int       // of the chunk message with which it died
	Recipient    Recipient // recipient only
	Body         []byte    // message only
	Bytes        int       // 0; or how many bytes the message had, if Body is only their beginning

	AcceptedAt  time.Time // of the notification; message: when it was first sent
	DeadAt      time.Time
	StoredAt    time.Time // when the dead-letter store took it
	TraceParent string    // W3C, of the request
	Software    string    // version of the program that gave up on it; "" after a queue's own redrive
	Labels      map[string]string

	// Fingerprint groups letters of one cause. Letters with the same fingerprint
	// agree in Code, LastCode, App, Template and Pattern.
	Fingerprint string
	Template    string // of the notification, "" if it has none
	Pattern     string // Detail with everything folded that differs between letters

	State   LetterState
	Version int64     // from 1, grows by one with every move
	Replay  ID        // the replay that claimed it last
	Outcome Code      // replayed recipient: how that ended, CodeOpen until it is known
	MovedAt time.Time // of the last move, zero before
	Reason  string    // of the last move, required for a discard
	By      string    // who discarded it
}

// Ref returns the chunk that the letter belongs to; its notification is ""
// where there is none.
func (l *Letter) Ref() ChunkRef { return ChunkRef{Notification: l.Notification, Seq: l.Seq} }

// BatchID returns the batch that the letter belongs to, "" if it is none.
func (l *Letter) BatchID() ID {
	if l.Notification.IsBatch() {
		return l.Notification
	}
	return ""
}

// Cause returns the code that says most about why the letter is dead: the last
// attempt's, or its own.
func (l *Letter) Cause() Code {
	if l.LastCode != CodeOpen {
		return l.LastCode
	}
	return l.Code
}

// Awaiting reports whether the letter was sent again and nobody knows yet what
// came of it. A message's fate can't be told from its letter.
func (l *Letter) Awaiting() bool {
	return l.Kind == LetterRecipient && l.State == LetterReplayed && l.Outcome == CodeOpen
}

// LetterMove is one change of one letter, on condition of its version.
type LetterMove struct {
	ID      ID
	Version int64 // that is stored now
	State   LetterState
	Replay  ID   // kept as it is when ""
	Outcome Code // kept as it is when CodeOpen
	At      time.Time
	Reason  string
	By      string
}

// Moved returns the letter after the move, and false if the move is stale or
// illegal. A discarded letter keeps its story and loses what could be sent:
// address, data and body.
func (l Letter) Moved(m LetterMove) (Letter, bool) {
	if m.ID != l.ID || m.Version != l.Version || !CanMoveLetter(l.State, m.State) {
		return l, false
	}
	l.State, l.MovedAt, l.Reason, l.By = m.State, m.At, m.Reason, m.By
	l.Version++
	if m.Replay != "" {
		l.Replay = m.Replay
	}
	if m.Outcome != CodeOpen {
		l.Outcome = m.Outcome
	}
	if l.State == LetterDiscarded {
		l.Recipient.Address.Value, l.Recipient.Data, l.Body = "", nil, nil
	}
	return l, true
}
