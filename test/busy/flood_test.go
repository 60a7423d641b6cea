package busy

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

const (
	// crowd is how many bulk writes wait for a file at any time, and each is how long one has
	// it: together longer than a claim holds without a checkpoint (ledger.FreshFor).
	crowd = 100
	each  = 25 * time.Millisecond
)

// flood keeps a file busy with bulk writes, and counts them.
type flood struct{ ran atomic.Int64 }

// keepBusy floods a file until the returned function is called.
func keepBusy(t *testing.T, file *db.DB) (f *flood, stop func()) {
	t.Helper()
	f = &flood{}
	ctx, cancel := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	for range crowd {
		callers.Go(func() {
			for ctx.Err() == nil {
				if err := file.WriteLater(ctx, f.write); err != nil && ctx.Err() == nil {
					t.Errorf("bulk write: %v", err)
					return
				}
			}
		})
	}
	return f, func() { cancel(); callers.Wait() }
}

// write has the file for a while.
func (f *flood) write(*sql.Tx) error {
	<-time.After(each)
	f.ran.Add(1)
	return nil
}

// queueing is what calls of one kind have gone through: how many bulk writes ran from when each was
// asked for until it was done.
type queueing struct {
	flood *flood

	mu     sync.Mutex
	behind []int64
}

func (q *queueing) watch(call func() error) error {
	before := q.flood.ran.Load()
	err := call()
	after := q.flood.ran.Load()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.behind = append(q.behind, after-before)
	return err
}

// enough is how many calls tell something.
const enough = 3 * chunks

// slow returns how many bulk writes nine of ten calls waited for at most, and whether that is as if
// they stood in line behind the crowd. A tenth does not count: a machine that does something else
// for a while may let any number of bulk writes pass.
func (q *queueing) slow() (behind int64, calls int, slow bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if calls = len(q.behind); calls == 0 {
		return 0, 0, false
	}
	slices.Sort(q.behind)
	behind = q.behind[calls*9/10]
	return behind, calls, behind > crowd/10
}

func (q *queueing) verify(t *testing.T, what string, least int) {
	t.Helper()
	behind, calls, slow := q.slow()
	if t.Logf("%s: nine of ten of %d waited for at most %d bulk writes of %d", what, calls, behind, crowd); slow || calls < least {
		t.Errorf("%s stand in line behind bulk writes, or are too few to tell: want at most %d, and at least %d calls", what, crowd/10, least)
	}
}
