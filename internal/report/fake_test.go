package report_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

// house is one notification with its lines, plans, attempts and pages, in memory.
type house struct {
	n        push.Notification
	plan     []ledger.Plan
	line     []ledger.Line
	attempt  map[push.ChunkRef][]ledger.Attempt
	page     map[string][]byte
	reads    int    // of pages
	late     func() // runs before the first Counts
	asked    int    // the last limit of Notifications
	evidence int    // reads of attempts
	device   []push.Device
}

func (h *house) Device(_ context.Context, _ string, id push.ID) (push.Device, error) {
	for _, d := range h.device {
		if d.ID == id {
			return d, nil
		}
	}
	return push.Device{}, push.ErrNotFound
}

func (h *house) Devices(_ context.Context, _, userID, _ string, _ int) ([]push.Device, string, error) {
	return slices.DeleteFunc(slices.Clone(h.device), func(d push.Device) bool { return d.UserID != userID }), "", nil
}

func (h *house) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	if id != h.n.ID {
		return push.Notification{}, push.ErrNotFound
	}
	return h.n, nil
}

func (h *house) Notifications(_ context.Context, _, cursor string, limit int) ([]push.Notification, string, error) {
	h.asked = limit
	if cursor == "bad" {
		return nil, "", push.ErrCursor
	}
	return []push.Notification{h.n}, "next", nil
}

func (h *house) Counts(context.Context, push.ID) (ledger.Counts, error) {
	if h.late != nil {
		h.late()
		h.late = nil
	}
	var c ledger.Counts
	for i := range h.line {
		t := h.line[i].Tally()
		c.Add(&t)
	}
	return c, nil
}

func (h *house) Lines(_ context.Context, _ push.ID, from, limit int) ([]ledger.Line, error) {
	all := slices.DeleteFunc(slices.Clone(h.line), func(l ledger.Line) bool { return l.Ref.Seq < from })
	return all[:min(limit, len(all))], nil
}

func (h *house) Plans(_ context.Context, _ push.ID, from, limit int) ([]ledger.Plan, error) {
	all := slices.DeleteFunc(slices.Clone(h.plan), func(p ledger.Plan) bool { return p.Ref.Seq < from })
	return all[:min(limit, len(all))], nil
}

func (h *house) Attempts(_ context.Context, ref push.ChunkRef) ([]ledger.Attempt, error) {
	h.evidence++
	return h.attempt[ref], nil
}

func (h *house) Page(_ context.Context, _ push.ID, kind push.PageKind, n int) ([]byte, error) {
	h.reads++
	data, ok := h.page[fmt.Sprint(kind, n)]
	if !ok {
		return nil, push.ErrNotFound
	}
	return data, nil
}

// open returns a house with a started batch in it that has no pages yet.
func open() *house {
	return &house{
		n: push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: tenant, Progress: push.Progress{
			Version: 3, State: push.StateSending, StartedAt: time.Unix(1, 0),
		}},
		attempt: map[push.ChunkRef][]ledger.Attempt{}, page: map[string][]byte{},
	}
}

func (h *house) reader() *report.Reader {
	return report.New(report.Config{Notifications: h, Chunks: h, Pages: h, Devices: h, Log: zap.NewNop()})
}

// load adds a page of recipients and plans it as fanout does, in chunks of at
// most so many rows; kind says which page is kept, "" none.
func (h *house) load(kind push.PageKind, rows []push.Recipient, chunk int) {
	n := h.n.Progress.Pages
	h.n.Progress.Pages++
	if kind != "" {
		h.page[fmt.Sprint(kind, n)], _ = wire.EncodeRecipients(rows)
	}
	last := int64(-1)
	for at := 0; at < len(rows); at += chunk {
		part := rows[at:min(at+chunk, len(rows))]
		p := ledger.Plan{
			Ref: push.ChunkRef{Notification: h.n.ID, Seq: n*push.ChunksPerPage + at/chunk}, Tenant: tenant,
			FirstLine: part[0].Line, Last: at+chunk >= len(rows), Cells: make([]ledger.Cell, len(part)),
		}
		for _, r := range part {
			p.Hashes = append(p.Hashes, r.Address.Hash())
			if r.Line != last {
				p.Sources++
				h.n.Progress.Sources++
			}
			last = r.Line
		}
		h.plan = append(h.plan, p)
		h.line = append(h.line, ledger.NewLine(p, time.Unix(2, 0)))
	}
}
