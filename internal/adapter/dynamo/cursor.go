package dynamo

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// A cursor is the sort key of the last row of a page behind the name of its
// listing. It holds no secret, and a forged one only starts the caller's own
// listing somewhere else.
const cursorSeparator = "\x00"

func cursor(listing, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(listing + cursorSeparator + place))
}

// cursorPlace returns the sort key of a cursor of the listing, "" for none.
// Anything else is push.ErrCursor.
func cursorPlace(listing, c string) (string, error) {
	if c == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(c)
	if err != nil {
		return "", fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	name, place, ok := strings.Cut(string(raw), cursorSeparator)
	if !ok || name != listing || place == "" || strings.Contains(place, cursorSeparator) {
		return "", fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	return place, nil
}

// cutPage takes a page of at most limit from rows read with a limit one higher,
// and its cursor, "" at the end.
func cutPage[T any](listing string, rows []T, limit int, place func(*T) string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, cursor(listing, place(&rows[limit-1]))
}
