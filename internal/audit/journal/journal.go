package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Config is what a journal stands on. All but Now is required, and must be safe for
// concurrent use.
type Config struct {
	Store   audit.Store
	Keys    *audit.Keyring
	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time // nil: time.Now
}

// Journal records entries. Those of a tenant that come while a block is being written are
// the next block: however many calls there are, a process has one write per tenant under way.
// It is safe for concurrent use; several processes may record for the same tenant.
type Journal struct {
	cfg  Config
	stop context.Context //nolint:containedctx // ends the waits of writers that outlive the calls that they write for
	quit context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	waiting int // entries of all tenants that are not stored
	lines   map[string]*line
	failing map[string]error // tenants whose last write failed
	ends    map[string]end   // of chains in a store that seals within its transactions
}

const (
	// mostWaiting bounds the entries in memory: at 2 KiB each 20 MiB.
	mostWaiting = 10_000
	// mostLines bounds the tenants whose chain's end is remembered.
	mostLines = 4096
	// writeTime bounds one write of a block, which is two attempts at a store that does not answer.
	writeTime = 6 * time.Second
	// retryWait is how long a store that failed is left alone.
	retryWait = time.Second
	// conflictTries and conflictWait say how often other processes may come first, and how long it then waits at most.
	conflictTries = 64
	conflictWait  = 20 * time.Millisecond
	// headEvery is how much time the heads that are kept apart have between them.
	headEvery = time.Minute
)

var (
	errFull   = push.WithOutage(push.OutageThrottled, errors.New("the audit log takes fewer entries than there are"))
	errClosed = push.WithOutage(push.OutageClosing, errors.New("the audit log is closed"))
)

// New returns a journal. Close it when done.
func New(cfg Config) *Journal {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	j := &Journal{cfg: cfg, lines: map[string]*line{}, failing: map[string]error{}, ends: map[string]end{}}
	j.stop, j.quit = context.WithCancel(context.Background())
	return j
}

// item is an entry on its way.
type item struct {
	entry audit.Entry
	done  chan error // takes one answer; nil if nobody waits
}

// line is one tenant's queue, and the end of its chain as far as this process knows.
type line struct {
	tenant  string
	pending []*item // guarded by the journal's mu
	running bool    // the same

	// The rest belongs to the writer.
	head    audit.Head // the zero head is none
	known   bool       // head is the chain's end, unless another process has written since
	attempt *audit.Block
	kept    time.Time // when a head was kept last
}

// Record puts an entry into its tenant's chain, which gives it its Seq, and returns when it
// is durable. With an error it may be stored later all the same, unless the journal is closed
// or full: what happened stays worth recording. It stops waiting when ctx ends.
func (j *Journal) Record(ctx context.Context, e audit.Entry) error {
	done := make(chan error, 1)
	if err := j.put(&item{entry: e, done: done}); err != nil { //nolint:contextcheck // a block has entries of many calls
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("record in the audit log: %w", ctx.Err())
	}
}

// Offer records an entry for which nobody waits: of a call that was refused.
func (j *Journal) Offer(e audit.Entry) {
	if err := j.put(&item{entry: e}); err != nil {
		j.cfg.Metrics.lost.Inc()
	}
}

// Ready returns nil if entries can be stored as far as is known, and otherwise why not. What
// must not happen unrecorded asks first.
func (j *Journal) Ready() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.refuses(); err != nil {
		return err
	}
	for _, err := range j.failing {
		return err
	}
	return nil
}

// refuses returns why no entry is taken now, or nil. The lock is held.
func (j *Journal) refuses() error {
	switch {
	case j.closed:
		return errClosed
	case j.waiting >= mostWaiting:
		return errFull
	}
	return nil
}

func (j *Journal) put(i *item) error {
	if i.entry.Time.IsZero() {
		i.entry.Time = j.cfg.Now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.refuses(); err != nil {
		return err
	}
	l := j.lines[i.entry.Tenant]
	if l == nil {
		l = &line{tenant: i.entry.Tenant}
		j.lines[l.tenant] = l
	}
	l.pending = append(l.pending, i)
	j.waiting++
	if err := j.failing[l.tenant]; err != nil {
		i.answer(err)
	}
	if !l.running {
		l.running = true
		j.work.Go(func() { j.write(l) })
	}
	return nil
}

// answer tells who waits, once. An entry whose caller was told of a failure says so.
func (i *item) answer(err error) {
	if i.done == nil {
		return
	}
	i.done <- err
	i.done = nil
	if err != nil {
		i.entry.Reason = "answered 503, since the audit log could not be written; the call itself had ended as recorded here"
	}
}

// Close has what is waiting stored, until ctx ends, and takes nothing more. It returns how
// it went with what it could not store.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.work.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	j.quit()
	<-ended
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.waiting == 0 {
		return nil
	}
	j.cfg.Metrics.lost.Add(float64(j.waiting))
	return fmt.Errorf("%d entries of the audit log could not be stored", j.waiting)
}

// jitter is a wait that no two processes share.
func jitter(most time.Duration) time.Duration { return rand.N(most) + 1 } //nolint:gosec // spreads load, no secret
