package letters

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// An item holds 400 KB
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html#limits-items),
// a queue message 1 MiB. A body that stays larger than maxInline although it is
// deflated is cut into parts of that size, items of their own.
const maxInline = 350_000

// parts name the items that hold a letter's body. The nonce is of the call that
// wrote them, so that callers who race to store a letter don't share any.
type parts struct {
	of    string // nonce, in hexadecimal
	count int
}

func (p parts) text() string {
	if p.count == 0 {
		return ""
	}
	return p.of + "#" + strconv.Itoa(p.count)
}

func parseParts(s string) (parts, error) {
	if s == "" {
		return parts{}, nil
	}
	of, count, ok := strings.Cut(s, "#")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 {
		return parts{}, fmt.Errorf("parts %q: %w", s, table.ErrDamaged)
	}
	return parts{of, n}, nil
}

func (p parts) key(id push.ID, n int) table.Item {
	return table.Item{table.AttrPK: table.Text(string(id)), table.AttrSK: table.Text(fmt.Sprintf("%s%s#%04d", sortPart, p.of, n))}
}

// cut writes a body that does not fit into its letter's item, before the letter
// itself. A crash in between leaves parts that nothing names.
func (s *Store) cut(ctx context.Context, l *storedLetter, w table.Nonce) error {
	if len(l.Body) <= maxInline {
		return nil
	}
	packed, err := table.Pack(l.Body)
	if err != nil || len(packed) <= maxInline {
		return err
	}
	pieces := slices.Collect(slices.Chunk(packed, maxInline))
	p := parts{of: hex.EncodeToString(w[:]), count: len(pieces)}
	for n, piece := range pieces {
		i := p.key(l.ID, n)
		i[table.AttrBody] = table.Blob(piece)
		if _, err := s.db.Put(ctx, s.letters, i, table.Expression{}, false); err != nil {
			return err
		}
	}
	l.parts = p
	return nil
}

// join reads the bodies of letters that have them apart.
func (s *Store) join(ctx context.Context, ls []storedLetter) error {
	for at := range ls {
		l := &ls[at]
		if l.parts.count == 0 || l.State == push.LetterDiscarded || l.Body != nil {
			continue
		}
		var packed []byte
		for n := range l.parts.count {
			i, err := s.db.Get(ctx, s.letters, l.parts.key(l.ID, n))
			if err != nil {
				return err
			}
			if i == nil { // discarded meanwhile, and this is what it was before
				return fmt.Errorf("dead letter %s has lost part %d of its body: %w", l.ID, n, table.ErrDamaged)
			}
			packed = append(packed, i.Bytes(table.AttrBody)...)
		}
		var err error
		if l.Body, err = table.Unpack(packed); err != nil {
			return fmt.Errorf("dead letter %s: %w", l.ID, err)
		}
	}
	return nil
}

// deleteParts removes the parts of a body.
func (s *Store) deleteParts(ctx context.Context, id push.ID, p parts) error {
	for n := range p.count {
		if err := s.db.Remove(ctx, s.letters, p.key(id, n), table.Expression{}); err != nil {
			return err
		}
	}
	return nil
}
