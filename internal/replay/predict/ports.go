package predict

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Keeper is the room of the letters; see the methods of letters.Room.
type Keeper interface {
	Count(ctx context.Context, f push.LetterFilter) (int64, error)
	Mend(ctx context.Context) (int64, error)
}

// Letters is the dead-letter store; see letters.Store.
type Letters interface {
	Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
}

// Notifications are the heads of what letters belong to.
type Notifications interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
}

// Lines are the chunks' ledger lines.
type Lines interface {
	// Line returns a chunk's line or push.ErrNotFound.
	Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error)
}

// Screen says why recipients may not be sent to now, without sending: parallel
// to rs (up to 1000), push.CodeOpen where nothing stands against it, otherwise a
// code of class suppressed.
type Screen interface {
	Screen(ctx context.Context, tenant string, rs []push.Recipient) ([]push.Code, error)
}

// Breakers knows whether sends of an app are held back now.
type Breakers interface {
	// OpenSince returns since when the app's breaker holds sends back, as far as that is
	// known; the zero time if it does not.
	OpenSince(ctx context.Context, app string) (time.Time, error)
}
