package dynamo

import (
	"context"
	"errors"
)

// noNotification is an id that no notification has.
const noNotification = "pulse"

// Pulse finds out whether the ledger takes writes: it deletes an item that is
// not there, on a condition that nothing meets, which costs one write unit and
// changes nothing.
func (s *Store) Pulse(ctx context.Context) error {
	var e expression
	name := e.name(attrID)
	e.where("attribute_exists(" + name + ") AND attribute_not_exists(" + name + ")")
	err := s.remove(ctx, s.notifications, item{attrID: text(noNotification)}, e)
	if _, refused := errors.AsType[*lost](err); refused {
		return nil
	}
	return err
}
