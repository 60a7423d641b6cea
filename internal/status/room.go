package status

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

const (
	// budget is what the parts of a status may take together before the last known is told.
	budget = 200 * time.Millisecond
	// fresh is how long a reading stands for all who ask.
	fresh = time.Second
	// readPatience bounds one reading, so that a store that hangs is asked again.
	readPatience = 10 * time.Second
	// staleAfter is from when on a part that is told from memory says so.
	staleAfter = 5 * time.Second
	// runningMost is how many running notifications are looked at, the oldest first.
	runningMost = 100
	// sumsPatience bounds the summing of what is running, one after the other: sums at the same time would take all readers of
	// an embedded store, which requests need.
	sumsPatience = 5 * time.Second
	// causesMost is how many causes of dead letters are told.
	causesMost = 8
	// tenantsMost bounds the tenants whose parts are remembered.
	tenantsMost = 1000
)

// Ledger lists what is not finished.
type Ledger interface {
	// Unfinished lists the notifications of all tenants of which something may be open, the oldest first.
	Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error)
	// Unenqueued returns up to limit notifications in the outbox, the oldest first.
	Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error)
	// Notifications lists a tenant's notifications, newest first.
	Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error)
}

// Standings say how one notification stands.
type Standings interface {
	// Standing fills in the state of a notification whose head was read a moment ago, what of it is open, and what it waits
	// for: O(chunks).
	Standing(ctx context.Context, n *push.Notification) (Running, error)
}

// Causes counts dead letters: O(causes).
type Causes interface {
	LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error)
}

// Replays lists the replays that are not finished.
type Replays interface {
	Replays(ctx context.Context) ([]Replay, error)
}

// Pauses lists the pauses that stand.
type Pauses interface {
	Pauses(ctx context.Context) ([]Pause, error)
}

// Overrides lists the operators' overrides of breakers that stand, by the label of their credential.
type Overrides interface {
	Overrides(ctx context.Context) (map[string]Override, error)
}

// Config is what the room is built from.
type Config struct {
	Docs      document.Store
	Ledger    Ledger
	Standings Standings
	Causes    Causes
	Replays   Replays
	Pauses    Pauses
	Overrides Overrides
	Queues    map[string]worker.Gauge // source queues and their dead-letter queues
	Order     []string                // names of Queues as they are shown
	Backend   string
	Disk      func() *Disk // of this process; nil: the processes say
	Now       func() time.Time
	Budget    time.Duration // 0 is a fifth of a second
	Fresh     time.Duration // 0 is a second
	Sums      time.Duration // how long what is running is summed for one reading; 0 is five seconds
}

// Room assembles the status. Safe for concurrent use; end it with Close.
type Room struct {
	cfg     Config
	elapsed func() time.Duration
	ctx     context.Context //nolint:containedctx // of readings, which outlive who asked for them
	cancel  context.CancelFunc
	flights sync.WaitGroup

	processes section[listing]
	queues    section[[]Queue]
	replays   section[[]Replay]
	pauses    section[[]Pause]
	overrides section[map[string]Override]

	mu     sync.Mutex
	scopes map[string]*scoped // by tenant; "" is all
}

// scoped are the parts that a tenant has for itself.
type scoped struct {
	running section[running]
	letters section[Letters]
}

// listing is the processes, and how long it took to list them.
type listing struct {
	all  []Process
	took time.Duration
}

// running is what is not finished.
type running struct {
	all    []Running
	more   bool
	outbox time.Time // since when the oldest waits in the outbox; zero: none does
}

// New returns the room.
func New(cfg Config) *Room {
	if cfg.Budget == 0 {
		cfg.Budget = budget
	}
	if cfg.Sums == 0 {
		cfg.Sums = sumsPatience
	}
	if cfg.Fresh == 0 {
		cfg.Fresh = fresh
	}
	r := &Room{cfg: cfg, elapsed: clock.Start(), scopes: map[string]*scoped{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.processes.read, r.queues.read = whole(r.readProcesses), whole(r.readQueues)
	r.replays.read, r.pauses.read = whole(cfg.Replays.Replays), whole(cfg.Pauses.Pauses)
	r.overrides.read = whole(cfg.Overrides.Overrides)
	return r
}

// whole is a reading that tells nothing before it is done.
func whole[T any](read func(ctx context.Context) (T, error)) func(context.Context, func(T)) (T, error) {
	return func(ctx context.Context, _ func(T)) (T, error) { return read(ctx) }
}

// Close ends readings that are under way.
func (r *Room) Close() {
	r.cancel()
	r.flights.Wait()
}

// of returns the parts of a tenant.
func (r *Room) of(tenant string) *scoped {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.scopes[tenant]
	if s == nil {
		if len(r.scopes) >= tenantsMost {
			clear(r.scopes) // readings under way end by themselves
		}
		s = &scoped{}
		last := map[string]Running{} // by id, as it was counted last
		s.running.read = func(ctx context.Context, tell func(running)) (running, error) {
			return r.readRunning(ctx, tenant, last, tell)
		}
		s.letters.read = whole(func(ctx context.Context) (Letters, error) { return r.readLetters(ctx, tenant) })
		r.scopes[tenant] = s
	}
	return s
}

// Look returns the status: of everything with tenant "", else what a tenant may see, which is its own.
//
// It costs O(processes + queues + causes of dead letters + 100 running notifications), whatever the number of recipients,
// letters and finished notifications, and at most a fifth of a second: what takes longer is told as it was known last, and
// Missing says so. All who ask within a second share one reading.
func (r *Room) Look(ctx context.Context, tenant string) Status {
	spent, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Budget)
	defer cancel()
	var (
		wg       sync.WaitGroup
		s        = r.of(tenant)
		over     = spent.Done()
		procs    answer[listing]
		queues   answer[[]Queue]
		replays  answer[[]Replay]
		pauses   answer[[]Pause]
		forced   answer[map[string]Override]
		under    answer[running]
		dead     answer[Letters]
		platform = tenant == ""
	)
	wg.Go(func() { procs = r.processes.get(ctx, r, over) })
	wg.Go(func() { pauses = r.pauses.get(ctx, r, over) })
	wg.Go(func() { under = s.running.get(ctx, r, over) })
	wg.Go(func() { dead = s.letters.get(ctx, r, over) })
	if platform {
		wg.Go(func() { queues = r.queues.get(ctx, r, over) })
		wg.Go(func() { replays = r.replays.get(ctx, r, over) })
		wg.Go(func() { forced = r.overrides.get(ctx, r, over) })
	}
	wg.Wait()
	now := r.cfg.Now()
	out := Status{At: now.UTC(), Letters: dead.value, Running: under.value.all, More: under.value.more}
	out.Store.Backend = r.cfg.Backend
	seen := look(procs.value.all, now)
	for _, p := range pauses.value {
		if platform || p.Tenant == "" || p.Tenant == tenant {
			out.Pauses = append(out.Pauses, p)
		}
	}
	m := missing{now: now, out: &out.Missing}
	note(&m, "processes", procs)
	note(&m, "pauses", pauses)
	note(&m, "running", under)
	note(&m, "dead letters", dead)
	out.sum()
	f := facts{
		Status: &out, seen: seen, known: procs.err == nil || !procs.at.IsZero(), outbox: under.value.outbox, tenant: tenant,
	}
	if platform {
		note(&m, "queues", queues)
		note(&m, "replays", replays)
		note(&m, "overrides of breakers", forced)
		out.Queues, out.Replays = queues.value, replays.value
		out.Processes = seen
		out.Credentials, out.Lanes, out.Rates = credentials(seen), lanes(seen, out.Running), rates(seen)
		out.Past = past(seen, now)
		if forced.err == nil || !forced.at.IsZero() { // else they are as the processes say
			out.Credentials = Overridden(out.Credentials, forced.value)
		}
		out.agree(now)
		out.Store.Took = procs.value.took
		if procs.err != nil && !errors.Is(procs.err, errPending) {
			out.Store.Error = procs.err.Error()
		}
		out.Store.Disk = r.disk(seen)
	}
	f.judge()
	return out
}
