package fanout

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
)

// Preview is whom a notification would go to if it were planned now. Every row of the
// plan is counted once: Rows = what would be sent, by part, + Quarantined + Duplicates +
// NoDevice.
type Preview struct {
	Rows        int
	Sends       map[push.Part]int // requests to FCM: one for each device, or for the topic or condition
	Unrecorded  int               // of Sends: addresses that the registry does not know
	Quarantined int               // devices that are not sent to
	Duplicates  int               // rows whose address an earlier row has
	NoDevice    int               // users and device ids without an address
	Deviceless  []string          // the first of those, each once: at most [MaxDeviceless]
}

// MaxDeviceless is how many users and device ids without a device a [Preview] names.
const MaxDeviceless = 20

// Previewer plans notifications that are only checked. Safe for concurrent use.
type Previewer struct{ registry registry }

// NewPreviewer returns a previewer that asks finder, and no cache: its answer is as fresh as
// the store's look-ups are.
func NewPreviewer(finder Finder) *Previewer { return &Previewer{registry{finder: finder}} }

// Preview plans a notification to an inline target as [Fanout] would, and stores nothing.
// It looks up each of the at most [push.MaxInlineTargets] names once, and each device that
// these have once, at most [push.MaxPageBytes] of them. A notification that could not be
// planned is [push.Faults] of its target; other errors are the registry's.
func (p *Previewer) Preview(ctx context.Context, n *push.Notification) (Preview, error) {
	v, err := p.preview(ctx, n)
	if un, ok := errors.AsType[*unexpandableError](err); ok {
		return Preview{}, push.Faults{{
			Pointer: "/to/user_ids", Code: push.FaultTooLarge, Detail: "has too many devices: " + un.why + "; name fewer users, or start a batch",
		}}
	}
	return v, err
}

func (p *Previewer) preview(ctx context.Context, n *push.Notification) (Preview, error) {
	rows := n.Target.Recipients()
	if needsResolving(rows) {
		resolved, err := p.registry.resolve(ctx, n.Tenant, rows)
		if err != nil {
			return Preview{}, err
		}
		if _, err := encodePage(resolved, 0); err != nil {
			return Preview{}, err
		}
		rows = resolved
	}
	chunks, err := cut(n, 0, rows, nil)
	if err != nil {
		return Preview{}, err
	}
	plans := plansOf(n, chunks, nil)
	v := Preview{Rows: len(rows), Sends: map[push.Part]int{}}
	for i := range plans {
		rs, cells := chunks[i].Recipients, plans[i].Cells
		_, found, err := p.registry.judge(ctx, n.Tenant, rs, cells)
		if err != nil {
			return Preview{}, err
		}
		for at := range found {
			if !found[at].known && !n.Target.Audience() {
				v.Unrecorded++
			}
		}
		for j := range rs {
			v.count(&rs[j], cells[j].Code())
		}
	}
	return v, nil
}

// count adds a row whose cell has this code.
func (v *Preview) count(r *push.Recipient, code push.Code) {
	if code == push.CodeOpen {
		v.Sends[r.Part()]++
	}
	if code == push.CodeDeviceQuarantined {
		v.Quarantined++
	}
	if code == push.CodeDuplicate {
		v.Duplicates++
	}
	if code == push.CodeNoDevice {
		v.NoDevice++
		v.name(cmp.Or(r.UserID, string(r.DeviceID)))
	}
}

// name adds the name of somebody without a device.
func (v *Preview) name(who string) {
	if len(v.Deviceless) < MaxDeviceless && !slices.Contains(v.Deviceless, who) {
		v.Deviceless = append(v.Deviceless, who)
	}
}
