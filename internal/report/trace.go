package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Trace is what is known about a notification's deliveries to one recipient.
type Trace struct {
	View       View
	Deliveries []Traced // in the order of the plan, at most MaxTraced
	More       bool     // there are others
	Refused    *Invalid // the upload line that was asked for, if it was refused
	Notes      []string // what could not be told, and why
}

// Traced is one delivery with everything that explains it.
type Traced struct {
	Delivery

	State  ledger.State
	Claims int64     // how often an owner took the chunk in hand, or a replay reopened it
	Saved  time.Time // last write of the chunk's line: an outcome is not younger
	Due    time.Time // of a chunk that waits: not before; zero if it may go

	history ledger.History // of the chunk
}

// MaxTraced is how many deliveries one trace explains.
const MaxTraced = 100

// NoDeliveryError says that a notification has no delivery to a recipient. It is
// push.ErrNotFound.
type NoDeliveryError struct {
	ID        push.ID
	Unplanned int64  // sources of which it is not known yet to whom they go
	Line      string // what is known of the upload line that was asked for; ""
}

// Error implements error.
func (e *NoDeliveryError) Error() string {
	s := fmt.Sprintf("%s has no delivery to this recipient", e.ID)
	if e.Line != "" {
		return s + ": " + e.Line
	}
	if e.Unplanned > 0 {
		s += fmt.Sprintf("; %d of its recipients are not planned yet: ask again later", e.Unplanned)
	}
	return s
}

// Unwrap returns push.ErrNotFound.
func (e *NoDeliveryError) Unwrap() error { return push.ErrNotFound }

// Trace explains the deliveries of a tenant's notification to one recipient,
// all of them if the recipient occurs several times, or why an upload line has none. Errors are push.ErrNotFound; if the
// notification exists, it is a [*NoDeliveryError].
//
// A line is found by O(log pages) reads and the plans of one page. Any other key is looked
// up by the hash of its address in the plans, O(chunks) with 4 KB of hashes each: the plans
// have no index, because that would cost a write per recipient. A device or user is looked
// up by its present addresses and, if the notification has a single page, by its id.
func (r *Reader) Trace(ctx context.Context, tenant string, id push.ID, key Key) (Trace, error) {
	v, err := r.Notification(ctx, tenant, id)
	if err != nil {
		return Trace{}, err
	}
	t := tracer{scan: scan{Reader: r, n: &v.Notification, pages: map[int]*page{}}, key: key, out: Trace{View: v}}
	if key.Kind == KeyLine {
		if err = t.byLine(ctx); err == nil && len(t.out.Deliveries) == 0 && len(t.out.Notes) == 0 {
			err = t.noDelivery(ctx)
		}
	} else {
		err = t.byRecipient(ctx)
	}
	if err != nil {
		return Trace{}, fmt.Errorf("trace a delivery of %s: %w", id, err)
	}
	if len(t.out.Deliveries) == 0 && len(t.out.Notes) == 0 && t.out.Refused == nil {
		return Trace{}, &NoDeliveryError{ID: id, Unplanned: v.Counts.Unplanned(v.Notification.Progress.Sources), Line: t.why}
	}
	t.noteHeld()
	return t.out, nil
}

// tracer is one trace under way.
type tracer struct {
	scan

	key Key
	out Trace
	why string // there is none
}

// noteHeld notes why an open delivery may wait.
func (t *tracer) noteHeld() {
	if !slices.ContainsFunc(t.out.Deliveries, func(d Traced) bool { return d.Code == push.CodeOpen }) {
		return
	}
	held := &t.n.Progress.Held
	for _, part := range push.Parts() {
		h := held[part]
		if h.Code == push.CodeOpen {
			continue
		}
		whom := "everybody of the platform " + part.String() + " waits"
		if h.Scattered {
			whom = "who of the platform " + part.String() + " is refused with that code waits"
		}
		t.note(fmt.Sprintf("The notification is held since %s, because FCM refused %d recipients with %s: %s until it is resumed or "+
			"cancelled. %s",
			h.Since.UTC().Format(time.RFC3339), h.Refused, h.Code, whom, h.Code.Facts().Meaning))
	}
}

func (t *tracer) note(text string) { t.out.Notes = append(t.out.Notes, text) }

// hits adds the given cells of a chunk, and reports whether there is room for more.
func (t *tracer) hits(ctx context.Context, p *planned, cells []int) (bool, error) {
	if room := MaxTraced - len(t.out.Deliveries); len(cells) > room {
		cells, t.out.More = cells[:room], true
	}
	if len(cells) == 0 {
		return !t.out.More, nil
	}
	line, err := t.cfg.Chunks.Lines(ctx, t.n.ID, p.Ref.Seq, 1)
	if err != nil {
		return false, fmt.Errorf("read line %s: %w", p.Ref, err)
	}
	if len(line) == 0 || line[0].Ref != p.Ref {
		return true, nil // planned a moment ago: the line comes after the plan
	}
	if err := t.explain(ctx, &line[0], p, cells); err != nil {
		return false, err
	}
	return !t.out.More, nil
}

// explain adds the given cells of a chunk to the answer.
func (t *tracer) explain(ctx context.Context, line *ledger.Line, p *planned, cells []int) error {
	before := len(t.rows)
	if err := t.add(ctx, line, p, cells); err != nil {
		return err
	}
	for _, d := range t.rows[before:] {
		t.out.Deliveries = append(t.out.Deliveries, Traced{
			Delivery: d, State: line.State, Claims: line.Epoch, Saved: line.UpdatedAt, Due: line.Due, history: t.history,
		})
	}
	return nil
}

// recipients returns the rows of the page that a chunk was cut from; nil if it
// is not kept any more.
func (t *tracer) recipients(ctx context.Context, p *planned) ([]push.Recipient, error) {
	pg, err := t.page(ctx, p.Ref.Page())
	if err != nil {
		return nil, err
	}
	return pg.rows(&p.Plan), nil
}

// present returns the hashes of the addresses that a device, or the devices of
// a user, have at present.
func (t *tracer) present(ctx context.Context, into map[uint64]bool) error {
	id := t.key.Value.Reveal()
	if t.key.Kind == KeyAny || t.key.Kind == KeyDevice {
		d, err := t.cfg.Devices.Device(ctx, t.n.Tenant, push.ID(id))
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("look up a device: %w", err)
		}
		if err == nil {
			into[d.Address.Hash()] = true
		}
	}
	if t.key.Kind == KeyAny || t.key.Kind == KeyUser {
		ds, _, err := t.cfg.Devices.Devices(ctx, t.n.Tenant, id, "", MaxTraced)
		if err != nil {
			return fmt.Errorf("look up a user's devices: %w", err)
		}
		for i := range ds {
			into[ds[i].Address.Hash()] = true
		}
	}
	return nil
}
