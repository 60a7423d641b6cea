package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/tail"
)

// LocalUser is the user that this process runs as, for the record; without a name of its own, the one given.
func LocalUser(otherwise string) string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return otherwise
	}
	return u.Username
}

// AuditStore is what the audit log and its key are kept in.
type AuditStore interface {
	audit.Store
	document.Store
}

// RecordLocal records what was done to the data itself, past every door, and returns when that is durable. It is an entry
// of the platform's operator: by the user of this process, from this machine. The store must be open; a server may use it
// at the same time. Without a key of its own it does not sign behind a head of a key that is not in the store: the error is
// [journal.ErrOtherKey].
func RecordLocal(ctx context.Context, store AuditStore, key config.Secret, e audit.Entry) (err error) {
	const grace = 10 * time.Second
	if key.IsZero() {
		if err := journal.CheckStored(ctx, store, store, access.DefaultName); err != nil {
			return err
		}
	}
	keys, err := journal.LoadKeys(ctx, key.Reveal(), store, time.Now())
	if err != nil {
		return fmt.Errorf("the audit log's key: %w", err)
	}
	j := journal.New(journal.Config{Store: store, Keys: keys, Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry())})
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err = errors.Join(err, j.Close(stop))
	}()
	e.Tenant, e.Kind, e.Time, e.Who = access.DefaultName, audit.Change, time.Now(), audit.Who{Name: "local:" + LocalUser("belfry")}
	if e.From, err = os.Hostname(); err != nil {
		e.From = "" // the entry matters more
	}
	follow := tail.NewSource(store, zap.NewNop(), time.Now)
	follow.Begin(ctx)
	if err := j.Record(ctx, e); err != nil {
		return err
	}
	tellAudited(follow, &e)
	follow.End(ctx)
	return nil
}
