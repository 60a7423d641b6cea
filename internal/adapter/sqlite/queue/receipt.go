package queue

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// receipt names one receive of one message. It is valid until the message is
// received again or deleted; after the visibility timeout too, as long as
// nobody else got the message, for then nobody else works on it.
type receipt struct {
	id       int64
	receives int
}

// String returns the receipt as it is handed out: "id.receives".
func (r receipt) String() string {
	return formatID(r.id) + "." + strconv.Itoa(r.receives)
}

// parseReceipt reads what String wrote. Garbage is a receipt that is not valid:
// push.ErrNotFound.
func parseReceipt(s string) (receipt, error) {
	left, right, _ := strings.Cut(s, ".")
	id, errID := strconv.ParseInt(left, 10, 64)
	receives, errReceives := strconv.Atoi(right)
	if errID != nil || errReceives != nil || id < 1 || receives < 1 {
		return receipt{}, fmt.Errorf("receipt: not one of this queue's: %w", push.ErrNotFound)
	}
	return receipt{id: id, receives: receives}, nil
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }
