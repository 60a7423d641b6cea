package httpapi

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
	onceStore = 5 * time.Second // for storing an answer, which its client's leaving must not stop
)

// once runs h once per tenant, route and Idempotency-Key; repeats get the first
// answer, errors too, for idempotency.Keep. What failed inside is forgotten
// instead, so that a repeat tries again. While h runs, for at most lease, a
// second request waits a moment and is then sent away with 409.
//
// The fingerprint is of the path, the query and what was read of the body
// before ([api.onceRead]): most of these POSTs have none, or one that is too
// large to be read twice.
func (a *api) once(lease time.Duration, h handler) handler {
	return func(ctx context.Context, x *exchange) (reply, error) {
		key, err := x.idempotencyKey()
		if err != nil {
			return reply{}, err
		}
		if key == "" {
			return h(ctx, x)
		}
		sum := sha256.Sum256(append([]byte(x.r.URL.Path+"?"+x.r.URL.RawQuery+"\n"), x.body...))
		rec := idempotency.Record{
			Tenant: x.tenant, Key: x.route.pattern() + " " + key, Fingerprint: hex.EncodeToString(sum[:16]), Holder: rand.Text(),
		}
		stored, won, err := a.reserve(ctx, rec, lease)
		switch {
		case err != nil:
			return reply{}, err
		case won:
			return a.first(ctx, x, stored, h)
		case stored.Fingerprint != rec.Fingerprint:
			return reply{}, refuse(codeKeyReused, "it was used before, with another request: use a new key for a new request")
		}
		return reply{status: stored.Status, raw: stored.Body, replayed: true}, nil
	}
}

// onceRead is once for a route with a small body, which h finds in x.body.
func (a *api) onceRead(h handler) handler {
	once := a.once(idempotency.Lease, h)
	return func(ctx context.Context, x *exchange) (reply, error) {
		body, err := x.readBody()
		if err != nil {
			return reply{}, err
		}
		x.body = body
		return once(ctx, x)
	}
}

// reserve takes the key, or returns the finished record of whoever had it.
func (a *api) reserve(ctx context.Context, rec idempotency.Record, lease time.Duration) (idempotency.Record, bool, error) {
	give := time.NewTimer(onceWait)
	defer give.Stop()
	poll := time.NewTicker(oncePoll)
	defer poll.Stop()
	for {
		now := a.now()
		rec.LeaseUntil, rec.ExpiresAt = now.Add(lease), now.Add(idempotency.Keep)
		stored, won, err := a.cfg.Answers.Reserve(ctx, rec, now)
		if err != nil || won || stored.Done || stored.Fingerprint != rec.Fingerprint {
			return stored, won, err
		}
		select {
		case <-poll.C:
		case <-give.C:
			return stored, false, refuse(codeInProgress, "try again for its answer").with("Retry-After", "1")
		case <-ctx.Done():
			return stored, false, ctx.Err()
		}
	}
}

// first executes h and stores its answer before it is sent.
func (a *api) first(ctx context.Context, x *exchange, rec idempotency.Record, h handler) (reply, error) {
	settled := false
	defer func() {
		if !settled { // h panicked, or its answer is not JSON
			rec.Done = false
			a.settle(ctx, x, rec)
		}
	}()
	rep, err := h(ctx, x)
	rec.Done, rec.Status = true, rep.status
	body := rep.body
	if err != nil {
		r := refusalOf(err)
		rec.Done, rec.Status, body = r.final(), r.status(), r.problem(x.id)
	}
	if body != nil {
		var encodeErr error
		if rec.Body, encodeErr = encode(body); encodeErr != nil {
			return reply{}, encodeErr
		}
	}
	settled = true
	a.settle(ctx, x, rec)
	return rep, err
}

// settle stores the answer, or gives the key back if there is none worth
// keeping. When that fails the work is done all the same, and so is the answer:
// the key is free again after its lease.
func (a *api) settle(ctx context.Context, x *exchange, rec idempotency.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), onceStore)
	defer cancel()
	var err error
	if rec.Done {
		err = a.cfg.Answers.Complete(ctx, rec)
	} else {
		err = a.cfg.Answers.Release(ctx, rec)
	}
	if err != nil && !errors.Is(err, push.ErrConflict) { // a conflict: the lease ran out and someone else took over
		a.log.Warn("the answer of an idempotent request was not stored", zap.String("request_id", x.id), zap.String("route", x.route.path), zap.Error(err))
	}
}
