package report

import (
	"encoding/base64"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// position is where a listing of deliveries continues: a chunk and a row in it.
type position struct{ seq, index int }

// cursor returns the position as an opaque string for callers.
func (p position) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "d1:%d:%d", p.seq, p.index))
}

// parseCursor reads what cursor wrote; "" is the beginning. Anything else is
// push.ErrCursor.
func parseCursor(s string) (position, error) {
	var p position
	if s == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return p, push.ErrCursor
	}
	if _, err := fmt.Sscanf(string(raw), "d1:%d:%d", &p.seq, &p.index); err != nil || p.seq < 0 || p.index < 0 || p.cursor() != s {
		return position{}, push.ErrCursor
	}
	return p, nil
}
