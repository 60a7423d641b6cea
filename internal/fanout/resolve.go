package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// rows returns a page's recipients with addresses. Resolving users and devices
// is a query whose answer changes, so its first result is stored as a page and
// used ever after.
func (f *Fanout) rows(ctx context.Context, n *push.Notification, page int) ([]push.Recipient, error) {
	source, err := f.source(ctx, n, page)
	if err != nil || !needsResolving(source) {
		return source, err
	}
	if stored, err := f.cfg.Pages.Page(ctx, n.ID, push.PagePlan, page); err == nil {
		return decodePage(stored, page)
	} else if !errors.Is(err, push.ErrNotFound) {
		return nil, fmt.Errorf("read resolved page %d: %w", page, err)
	}
	resolved, err := f.registry.resolve(ctx, n.Tenant, source)
	if err != nil {
		return nil, err
	}
	data, err := encodePage(resolved, page)
	if err != nil {
		return nil, err
	}
	stored, err := f.cfg.Pages.PutPage(ctx, n.ID, push.PagePlan, page, data)
	if err != nil {
		return nil, fmt.Errorf("store resolved page %d: %w", page, err)
	}
	return decodePage(stored, page)
}

func (f *Fanout) source(ctx context.Context, n *push.Notification, page int) ([]push.Recipient, error) {
	if !n.ID.IsBatch() {
		return n.Target.Recipients(), nil
	}
	data, err := f.cfg.Pages.Page(ctx, n.ID, push.PageUpload, page)
	if errors.Is(err, push.ErrNotFound) {
		return nil, &unexpandableError{fmt.Sprintf("upload page %d is missing", page)}
	}
	if err != nil {
		return nil, fmt.Errorf("read upload page %d: %w", page, err)
	}
	return decodePage(data, page)
}

// encodePage returns resolved recipients as a page that is to be stored.
func encodePage(rs []push.Recipient, page int) ([]byte, error) {
	data, err := wire.EncodeRecipients(rs)
	if err != nil {
		return nil, err
	}
	if len(data) > push.MaxPageBytes {
		return nil, &unexpandableError{
			fmt.Sprintf("page %d resolves to %d bytes of recipients, at most %d fit", page, len(data), push.MaxPageBytes),
		}
	}
	return data, nil
}

// decodePage reads a stored page. A broken page stays broken; a page that a newer version
// wrote can be read after an upgrade.
func decodePage(data []byte, page int) ([]push.Recipient, error) {
	rs, err := wire.DecodeRecipients(data)
	switch {
	case err == nil:
		return rs, nil
	case errors.Is(err, wire.ErrForeign):
		return nil, &unexpandableError{fmt.Sprintf("page %d is broken: %s", page, err)}
	}
	return nil, fmt.Errorf("read page %d: %w", page, err)
}

func needsResolving(rs []push.Recipient) bool {
	for i := range rs {
		if unresolved(&rs[i]) {
			return true
		}
	}
	return false
}

// unresolved reports whether a recipient's addresses are still to be looked up. Those of
// a duplicate never are, because it is not sent to.
func unresolved(r *push.Recipient) bool { return r.Address.IsZero() && r.DuplicateOf == 0 }

// screenAll asks the registry about the recipients that may be sent to: of the chunks that
// are planned now (plans), and of stored chunks that wait for a message. It writes into
// the plans which recipients are quarantined, and into the recipients their platform,
// whether the registry's last success is old, and whether it does not know the address.
func (f *Fanout) screenAll(ctx context.Context, tenant string, chunks []push.Chunk, stored []ledger.Line, plans []ledger.Plan) error {
	for i := range chunks {
		cells, old := []ledger.Cell(nil), i < len(stored)
		switch {
		case !old:
			cells = plans[i-len(stored)].Cells
		case waits(&stored[i]):
			cells = slices.Clone(stored[i].Cells) // stored cells stay as they are
		}
		if err := f.screen(ctx, tenant, chunks[i].Recipients, cells); err != nil {
			return err
		}
	}
	return nil
}

// screen does what screenAll does, for the recipients whose cells are open.
func (f *Fanout) screen(ctx context.Context, tenant string, rs []push.Recipient, cells []ledger.Cell) error {
	ask, found, err := f.registry.judge(ctx, tenant, rs, cells)
	if err != nil {
		return err
	}
	now := f.cfg.Now().UTC()
	for at, i := range ask {
		switch r, k := &rs[i], found[at]; {
		case k.known && k.Sendable:
			r.Renew = now.Sub(k.LastSuccessAt) > push.SuccessGrain
		case !k.known && f.cfg.RecordUnknown && r.Address.Kind.IsDevice():
			// Whoever was looked up by user or id was known then: its owner has
			// removed it since.
			r.Unknown = r.UserID == "" && r.DeviceID == ""
		}
	}
	return nil
}
