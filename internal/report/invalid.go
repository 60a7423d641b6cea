package report

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Invalid is an upload line that was refused.
type Invalid struct {
	Line int64 // number in the whole upload, from 1
	push.Fault
}

// maxInvalidPages is how many upload pages, of about half a megabyte each, are
// read for one answer.
const maxInvalidPages = 20

// Invalid returns up to limit (1..1000; 0 means 100) refused lines of a batch
// in the order of their numbers, and the cursor of the next ones, "" at the
// end. A page may have fewer lines than asked for, also none, and still be
// followed by others. Errors are push.ErrNotFound and push.ErrCursor.
//
// Refused lines are in the upload pages, so this reads the pages one by one, unless the
// batch has no refused lines. The lines of an expired page are not known any more.
func (r *Reader) Invalid(ctx context.Context, tenant string, id push.ID, cursor string, limit int) ([]Invalid, string, error) {
	at, err := parseInvalidCursor(cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list refused lines: %w", err)
	}
	n, err := r.owned(ctx, tenant, id)
	if err != nil {
		return nil, "", err
	}
	if n.Progress.Invalid == 0 {
		return nil, "", nil
	}
	limit = within(limit)
	var rows []Invalid
	for read := 0; at.page < n.Progress.Pages; read++ {
		if read == maxInvalidPages {
			return rows, at.cursor(), nil
		}
		refused, err := r.refused(ctx, id, at.page)
		if err != nil {
			return nil, "", fmt.Errorf("list refused lines of %s: %w", id, err)
		}
		for _, l := range refused {
			if l.Line <= at.line {
				continue
			}
			if len(rows) == limit {
				return rows, at.cursor(), nil
			}
			rows = append(rows, Invalid(l))
			at.line = l.Line
		}
		at.page++
	}
	return rows, "", nil
}

func (r *Reader) refused(ctx context.Context, id push.ID, n int) ([]wire.RefusedLine, error) {
	data, err := r.cfg.Pages.Page(ctx, id, push.PageUpload, n)
	if errors.Is(err, push.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read upload page %d: %w", n, err)
	}
	page, err := wire.DecodeUploadPage(data)
	if err != nil {
		return nil, fmt.Errorf("read upload page %d: %w", n, err)
	}
	return page.Refused, nil
}

// place is where a listing of refused lines continues: an upload page, and the last line
// that was returned.
type place struct {
	page int
	line int64
}

// cursor returns the place as an opaque string for callers.
func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "i1:%d:%d", p.page, p.line))
}

// parseInvalidCursor reads what cursor wrote; "" is the beginning. Anything
// else is push.ErrCursor.
func parseInvalidCursor(s string) (place, error) {
	var p place
	if s == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return p, push.ErrCursor
	}
	if _, err := fmt.Sscanf(string(raw), "i1:%d:%d", &p.page, &p.line); err != nil || p.page < 0 || p.line < 0 || p.cursor() != s {
		return place{}, push.ErrCursor
	}
	return p, nil
}
