package progress

import (
	"fmt"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/visible"
)

// Reason tells in one line what is held and why.
func Reason(h *client.Hold) string {
	who := h.Platform
	if h.Scattered {
		who += ", those who are refused"
	}
	return fmt.Sprintf("%s, since %s: %s for %s recipients - %s", who, h.Since.UTC().Format(time.RFC3339), h.Code, Group(int64(h.Refused)),
		h.Meaning)
}

// tell prints what is held, once, and what can be done: nobody should wait for it.
func (d *Display) tell(w *watch, n *client.Notification) {
	for i := range n.Held {
		h := &n.Held[i]
		key := string(h.Platform) + string(h.Code) + h.Since.String()
		if w.told[key] {
			continue
		}
		if w.told == nil {
			w.told = make(map[string]bool)
		}
		w.told[key] = true
		d.Printf("held: %s\n  It waits for you: resume it when the cause is mended, or cancel it.", visible.Field(Reason(h)))
	}
}
