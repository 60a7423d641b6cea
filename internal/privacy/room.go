package privacy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Devices is the part of the registry that holds registrations.
type Devices interface {
	// Device returns one device, or push.ErrNotFound.
	Device(ctx context.Context, tenant string, id push.ID) (push.Device, error)
	// Devices lists a tenant's devices by id, all or one user's.
	Devices(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error)
	// DevicesByAddress returns the devices among up to 1000 addresses.
	DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error)
	// DeleteDevice removes a device, or returns push.ErrNotFound.
	DeleteDevice(ctx context.Context, tenant string, id push.ID) error
}

// Notifications are heads and bodies.
type Notifications interface {
	// Notifications lists a tenant's notifications, newest first.
	Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error)
	// EraseRecipients applies change to a notification as it is stored, and stores what that makes
	// of its target and message, nothing else. change may run several times; false changes nothing.
	// It is push.ErrNotFound if there is no such notification.
	EraseRecipients(ctx context.Context, id push.ID, change func(n *push.Notification) bool) error
}

// Chunks are plans and lines.
type Chunks interface {
	// Plans returns up to limit plans of a notification with sequence >= from, ascending.
	Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error)
	// Lines returns up to limit lines of a notification with sequence >= from, ascending.
	Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error)
	// Attempts returns the evidence of a chunk in the order in which it was saved.
	Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error)
	// EraseHashes replaces the hashes of some cells of a plan by another; without the plan it
	// changes nothing.
	EraseHashes(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) error
}

// Pages are pages of recipients.
type Pages interface {
	// Page returns a page, or push.ErrNotFound.
	Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error)
	// ReplacePage stores other data in place of a page's, or returns push.ErrNotFound.
	ReplacePage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) error
}

// Letters is the store of dead letters.
type Letters interface {
	// Letters lists letters in the order of arrival, or in reverse.
	Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
	// MoveLetters applies up to 1000 moves, each on its own.
	MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error)
	// EraseLetter applies change to a letter as it is stored, and stores what that makes of its
	// recipient, body and detail. change may run several times. Without the letter it changes
	// nothing.
	EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error
}

// Drain moves what lies in dead-letter queues into the store of letters, for at most so long.
type Drain func(ctx context.Context, most time.Duration) error

// Config is what the room is built from.
type Config struct {
	Devices       Devices
	Notifications Notifications
	Chunks        Chunks
	Pages         Pages
	Letters       Letters
	Drain         Drain // nil: nobody drains
	Documents     document.Store
	Keys          *Keys
	Tombstones    *Tombstones
	Owner         string        // names this process; unique per start
	Grace         time.Duration // between tombstones and the removal; 0: [DefaultGrace]
	Log           *zap.Logger
	Now           func() time.Time
}

// DefaultGrace is how long an erasure waits after its tombstones are up: until no process goes by
// an older list (StaleAfter), and what was sent just before has been answered and noted.
const DefaultGrace = 10 * time.Second

// ExportKept is how long an export may be fetched.
const ExportKept = 72 * time.Hour

// Room takes and executes privacy requests. Safe for concurrent use.
type Room struct {
	cfg  Config
	wake chan struct{}
}

// New returns the room.
func New(cfg Config) *Room {
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	return &Room{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Order is a request as it is asked for.
type Order struct {
	Tenant    string
	Action    Action
	Subject   Subject
	Since     time.Time
	By        string
	Reference string
	// Receipt, of an erasure by this installation, erases the same person again, in place of a
	// Subject: for a backup of before that was restored.
	Receipt *Receipt
}

// A request is one document, so what it is about is bounded.
const (
	maxNamed   = 100 // devices that it names, and addresses
	maxDevices = 500 // that the registry has of them
)

// pageSize is how much is listed at once.
const pageSize = 1000

// check returns the faults of an order.
func (o *Order) check() push.Faults {
	var faults push.Faults
	bad := func(pointer, code, detail string) {
		faults = append(faults, push.Fault{Pointer: pointer, Code: code, Detail: detail})
	}
	if o.Action != Export && o.Action != Erase {
		bad("/action", push.FaultValue, "must be export or erase")
	}
	switch again := o.Receipt != nil; {
	case again && (o.Action != Erase || !o.Subject.isZero()):
		bad("/receipt", push.FaultConflict, "erases again whom it is of: it goes with erase, and with nobody's name")
	case !again && o.Subject.isZero():
		bad("", push.FaultMissing, "must name somebody: user_id, device_ids, tokens or fids")
	}
	const longest, longestUser = 128, 512
	for _, bound := range []struct {
		pointer, of string
		got, most   int
	}{
		{"/device_ids", "devices", len(o.Subject.DeviceIDs), maxNamed},
		{"/tokens", "addresses", len(o.Subject.Tokens) + len(o.Subject.FIDs), maxNamed},
		{"/user_id", "bytes", len(o.Subject.UserID), longestUser},
		{"/reference", "bytes", len(o.Reference), longest},
	} {
		if bound.got > bound.most {
			bad(bound.pointer, push.FaultTooLarge, fmt.Sprintf("must have at most %d %s (got %d)", bound.most, bound.of, bound.got))
		}
	}
	for i, id := range o.Subject.DeviceIDs {
		if why := push.CheckDeviceID(string(id)); why != "" {
			bad(fmt.Sprintf("/device_ids/%d", i), push.FaultValue, why)
		}
	}
	for i, a := range o.Subject.addresses() {
		pointer := fmt.Sprintf("/tokens/%d", i)
		if a.Kind == push.KindFID {
			pointer = fmt.Sprintf("/fids/%d", i-len(o.Subject.Tokens))
		}
		if why := push.CheckAddress(a.Kind, a.Value.Reveal()); why != "" {
			bad(pointer, push.FaultValue, why)
		}
	}
	return faults
}

// Start takes a request. An erasure has its tombstones up when it returns: every process goes by
// them within [StaleAfter]. Errors are push.Faults, or a store's; then the request may exist, and
// is gone on with.
func (r *Room) Start(ctx context.Context, o Order) (Request, error) {
	faults := o.check()
	if o.Receipt != nil && (o.Receipt.Tenant != o.Tenant || o.Receipt.Action != Erase || !r.cfg.Keys.signed(o.Receipt)) {
		faults = append(faults, push.Fault{
			Pointer: "/receipt", Code: push.FaultValue, Detail: "must be of an erasure for this tenant, signed by this installation",
		})
	}
	if len(faults) > 0 {
		return Request{}, faults
	}
	now := r.cfg.Now().UTC()
	q := Request{
		ID: push.NewID(push.PrefixPrivacy), Tenant: o.Tenant, Action: o.Action, State: StateRunning, By: o.By, Reference: o.Reference,
		CreatedAt: now, Since: o.Since, Subject: o.Subject, Step: stepBury,
	}
	if o.Receipt != nil {
		q.Again, q.Hashes = true, o.Receipt.Hashes
	}
	if o.Action == Export {
		q.State, q.Step, q.ExpiresAt = StateReady, "", now.Add(ExportKept)
	}
	if err := r.find(ctx, &q); err != nil {
		return Request{}, err
	}
	lease := pending{Action: o.Action, At: now}
	if err := document.Save(ctx, r.cfg.Documents, kindPending, string(q.ID), 1, lease, now); err != nil {
		return Request{}, fmt.Errorf("take a privacy request: %w", err)
	}
	if err := r.save(ctx, &q); err != nil {
		return Request{}, fmt.Errorf("take a privacy request: %w", err)
	}
	if o.Action == Erase {
		if err := r.cfg.Tombstones.Bury(ctx, q.Tenant, q.ID, q.Hashes); err != nil {
			return Request{}, err
		}
		r.look()
	}
	return q, nil
}

// look makes this process's executor look at once.
func (r *Room) look() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// find fills in which devices and addresses the subject has, by the registry as it is now.
func (r *Room) find(ctx context.Context, q *Request) error {
	known := map[push.ID]push.Address{}
	if q.Again {
		if err := r.recognise(ctx, q, known); err != nil {
			return err
		}
	}
	if q.Subject.UserID != "" {
		for cursor := ""; ; {
			ds, next, err := r.cfg.Devices.Devices(ctx, q.Tenant, q.Subject.UserID, cursor, pageSize)
			if err != nil {
				return fmt.Errorf("look up a user's devices: %w", err)
			}
			for i := range ds {
				known[ds[i].ID] = ds[i].Address
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	for _, id := range q.Subject.DeviceIDs {
		d, err := r.cfg.Devices.Device(ctx, q.Tenant, id)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("look up a device: %w", err)
		}
		if err == nil {
			known[d.ID] = d.Address
		}
	}
	named := q.Subject.addresses()
	ds, err := r.cfg.Devices.DevicesByAddress(ctx, q.Tenant, named)
	if err != nil {
		return fmt.Errorf("look up addresses: %w", err)
	}
	for _, d := range ds {
		known[d.ID] = d.Address
	}
	if len(known) > maxDevices {
		return push.Faults{{
			Pointer: "/user_id", Code: push.FaultTooLarge,
			Detail: fmt.Sprintf("has more than %d devices: remove some by DELETE first", maxDevices),
		}}
	}
	q.note(r.cfg.Keys, known, named)
	return nil
}

// recognise finds the devices whose user or address has one of the request's hashes: it looks at
// all devices of the tenant.
func (r *Room) recognise(ctx context.Context, q *Request, known map[push.ID]push.Address) error {
	hashes := setOf(q.Hashes).has
	for cursor := ""; ; {
		ds, next, err := r.cfg.Devices.Devices(ctx, q.Tenant, "", cursor, pageSize)
		if err != nil {
			return fmt.Errorf("look through the devices: %w", err)
		}
		for i := range ds {
			d := &ds[i]
			theirs := d.UserID != "" && hashes[r.cfg.Keys.User(q.Tenant, d.UserID)]
			if theirs {
				q.Subject.UserID = d.UserID
			}
			if theirs || hashes[r.cfg.Keys.Address(q.Tenant, d.Address)] {
				known[d.ID] = d.Address
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// note adds devices and addresses to what the request knows of its subject.
func (q *Request) note(keys *Keys, devices map[push.ID]push.Address, addresses []push.Address) {
	hashes, ids, found := setOf(q.Hashes), setOf(q.Devices), setOf(q.Found)
	if q.Subject.UserID != "" {
		hashes.add(keys.User(q.Tenant, q.Subject.UserID))
	}
	for id, a := range devices {
		ids.add(id)
		addresses = append(addresses, a)
	}
	for _, a := range addresses {
		hashes.add(keys.Address(q.Tenant, a))
		found.add(a)
	}
	q.Hashes, q.Devices, q.Found = hashes.list, ids.list, found.list
}

// Get returns a tenant's request, or push.ErrNotFound.
func (r *Room) Get(ctx context.Context, tenant string, id push.ID) (Request, error) {
	q, err := r.load(ctx, id)
	if err == nil && q.Tenant != tenant {
		err = push.ErrNotFound
	}
	if err != nil {
		return Request{}, fmt.Errorf("privacy request %s: %w", id, err)
	}
	return q, nil
}

// List returns a tenant's requests, oldest first. A page may have fewer than limit (1..1000), also
// none, and be followed by others; the cursor is "" at the end.
func (r *Room) List(ctx context.Context, tenant, cursor string, limit int) ([]Request, string, error) {
	ds, next, err := r.cfg.Documents.Documents(ctx, kindRequest, cursor, min(max(limit, 1), pageSize))
	if err != nil {
		return nil, "", fmt.Errorf("list privacy requests: %w", err)
	}
	var out []Request
	for i := range ds {
		q, err := decode(&ds[i])
		if err != nil {
			return nil, "", err
		}
		if q.Tenant == tenant {
			out = append(out, q)
		}
	}
	return out, next, nil
}
