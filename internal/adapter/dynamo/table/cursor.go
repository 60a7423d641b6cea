package table

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

const cursorSeparator = "\x00"

// Cursor is the sort key of the last row of a page behind the name of its
// listing. It holds no secret, and a forged one only starts the caller's own
// listing somewhere else.
func Cursor(listing, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(listing + cursorSeparator + place))
}

// CursorPlace returns the sort key of a cursor of the listing, "" for none.
// Anything else is push.ErrCursor.
func CursorPlace(listing, c string) (string, error) {
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

// Cut takes a page of at most limit from rows read with a limit one higher,
// and its cursor, "" at the end.
func Cut[T any](listing string, rows []T, limit int, place func(*T) string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, Cursor(listing, place(&rows[limit-1]))
}
