package rows

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

const cursorSeparator = "\x00"

// Cursor is the place of the last row of a page: the name of the listing and
// the fields that it is ordered by. It holds no secret, and a forged one only
// starts the caller's own listing somewhere else.
func Cursor(listing string, fields ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(append([]string{listing}, fields...), cursorSeparator)))
}

// CursorFields returns the n fields of a cursor of the listing, none for "".
// Anything else is push.ErrCursor.
func CursorFields(listing, c string, n int) ([]string, error) {
	if c == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(c)
	if err != nil {
		return nil, fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	fields := strings.Split(string(raw), cursorSeparator)
	if len(fields) != n+1 || fields[0] != listing || slices.Contains(fields, "") {
		return nil, fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	return fields[1:], nil
}

// CursorTime reads a field that holds microseconds.
func CursorTime(listing, field string) (int64, error) {
	us, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	return us, nil
}

// Cut takes a page of at most limit from rows read with a limit one higher,
// and its cursor, "" at the end.
func Cut[T any](rows []T, limit int, place func(*T) string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, place(&rows[limit-1])
}
