package ledger

import (
	"context"
	"errors"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

// noNotification is an id that no notification has.
const noNotification = "pulse"

// Pulse finds out whether the ledger takes writes: it deletes an item that is
// not there, on a condition that nothing meets, which costs one write unit and
// changes nothing.
func (s *Store) Pulse(ctx context.Context) error {
	var e table.Expression
	name := e.Name(table.AttrID)
	e.Where("attribute_exists(" + name + ") AND attribute_not_exists(" + name + ")")
	err := s.db.Remove(ctx, s.notifications, table.Item{table.AttrID: table.Text(noNotification)}, e)
	if _, refused := errors.AsType[*table.LostError](err); refused {
		return nil
	}
	return err
}
