package door

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// How a request waits for another one with the same key.
const (
	onceWait  = 5 * time.Second
	oncePoll  = 50 * time.Millisecond
	onceStore = 3 * time.Second // for storing an answer, which its client's leaving must not stop
)

// Once runs h once per tenant, route and Idempotency-Key; repeats get the first
// answer, errors too, for idempotency.Keep. An internal failure is not kept, so that a
// repeat tries again; nor is a secret, see [Reply.Stored]. While h runs, for at most lease, a second request waits a moment and
// then gets 409.
//
// The fingerprint covers the path, the query and the part of the body that was read before
// ([OnceRead]): most of these POSTs have no body, or one that is too large to be read
// twice.
func Once(lease time.Duration, h Handler) Handler {
	return func(ctx context.Context, x *Exchange) (Reply, error) {
		key, err := x.IdempotencyKey()
		if err != nil {
			return Reply{}, err
		}
		if key == "" {
			return h(ctx, x)
		}
		sum := sha256.Sum256(append([]byte(x.Request.URL.Path+"?"+x.Request.URL.RawQuery+"\n"), x.Body...))
		rec := idempotency.Record{
			Tenant: x.Tenant, Key: x.route.Pattern() + " " + key, Fingerprint: hex.EncodeToString(sum[:16]), Holder: rand.Text(),
		}
		stored, won, err := x.door.reserve(ctx, rec, lease)
		switch {
		case err != nil:
			return Reply{}, err
		case won:
			return x.door.first(ctx, x, stored, h)
		case stored.Fingerprint != rec.Fingerprint:
			return Reply{}, Refuse(CodeKeyReused, "it was used before, with another request: use a new key for a new request")
		}
		return Reply{Status: stored.Status, Raw: stored.Body, Replayed: true}, nil
	}
}

// OnceRead does what [Once] does for a route with a small body, which h finds in x.Body.
func OnceRead(h Handler) Handler {
	once := Once(idempotency.Lease, h)
	return func(ctx context.Context, x *Exchange) (Reply, error) {
		body, err := x.ReadBody()
		if err != nil {
			return Reply{}, err
		}
		x.Body = body
		return once(ctx, x)
	}
}

// reserve takes the key, or returns the finished record of the request that had it.
func (d *Door) reserve(ctx context.Context, rec idempotency.Record, lease time.Duration) (idempotency.Record, bool, error) {
	give := time.NewTimer(onceWait)
	defer give.Stop()
	poll := time.NewTicker(oncePoll)
	defer poll.Stop()
	for {
		now := d.now()
		rec.LeaseUntil, rec.ExpiresAt = now.Add(lease), now.Add(idempotency.Keep)
		stored, won, err := d.cfg.Answers.Reserve(ctx, rec, now)
		if err != nil || won || stored.Done || stored.Fingerprint != rec.Fingerprint {
			return stored, won, err
		}
		select {
		case <-poll.C:
		case <-give.C:
			return stored, false, Refuse(CodeInProgress, "try again for its answer").With("Retry-After", "1")
		case <-ctx.Done():
			return stored, false, ctx.Err()
		}
	}
}

// first executes h and stores its answer before it is sent.
func (d *Door) first(ctx context.Context, x *Exchange, rec idempotency.Record, h Handler) (Reply, error) {
	settled := false
	defer func() {
		if !settled { // h panicked, or its answer is not JSON
			rec.Done = false
			d.settle(ctx, x, rec)
		}
	}()
	rep, err := h(ctx, x)
	rec.Done, rec.Status = true, rep.Status
	body := rep.Body
	if rep.Stored != nil {
		body = rep.Stored
	}
	if err != nil {
		r := d.refusalOf(err)
		rec.Done, rec.Status, body = r.final(), r.Status(), r.problem(x.id)
	}
	if body != nil {
		var encodeErr error
		if rec.Body, encodeErr = Encode(body); encodeErr != nil {
			return Reply{}, encodeErr
		}
	}
	settled = true
	d.settle(ctx, x, rec)
	return rep, err
}

// settle stores the answer, or gives the key back if the answer is not to be kept. If that
// fails, the work is done and the answer is sent nevertheless: the key is free again after
// its lease.
func (d *Door) settle(ctx context.Context, x *Exchange, rec idempotency.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), onceStore)
	defer cancel()
	var err error
	if rec.Done {
		err = d.cfg.Answers.Complete(ctx, rec)
	} else {
		err = d.cfg.Answers.Release(ctx, rec)
	}
	if err != nil && !errors.Is(err, push.ErrConflict) { // a conflict: the lease ran out and someone else took over
		d.cfg.Log.Warn("the answer of an idempotent request was not stored", zap.String("request_id", x.id), zap.String("route", x.route.Path),
			zap.String("tenant", x.Tenant), zap.Error(err))
	}
}
