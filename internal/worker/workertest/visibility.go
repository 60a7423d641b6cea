package workertest

import (
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

func visibilityCases() []testCase {
	stale := func(f Features) bool { return f.StaleReceiptRefused }
	return []testCase{
		{name: "a received message is invisible until its timeout lapses", cfg: Config{Visibility: lapse}, run: lapses},
		{name: "extend keeps a message invisible", cfg: Config{Visibility: lapse}, run: extended},
		{name: "extend by 0 hands a message back at once", run: handedBack},
		{name: "extend of a deleted message is reported", needs: stale, run: extendDeleted},
		{name: "an earlier receipt neither extends nor deletes", needs: stale, run: staleReceipt},
		{name: "a receipt that never was is reported", needs: func(f Features) bool { return f.GarbageReceiptRefused }, run: garbageReceipt},
		{name: "a receipt deletes after the lapse", run: deleteAfterLapse},
		{name: "visibility is bounded in total", needs: func(f Features) bool { return f.VirtualClock }, run: totalVisibility},
		{name: "a delayed message is invisible until it is due", run: delayed},
		{
			name: "a message received too often goes to the dead-letter queue",
			cfg:  Config{MaxReceives: maxReceives}, needs: func(f Features) bool { return f.Redrive }, run: redrive,
		},
		{
			name: "a poisonous message does not hold up the others",
			cfg:  Config{MaxReceives: 1}, needs: func(f Features) bool { return f.Redrive }, run: poison,
		},
	}
}

func lapses(k *kit) {
	k.send(text("x")...)
	begun := time.Now()
	first := k.one()
	k.receives(first, 1)
	lapsed := k.stopwatch()
	again := k.notYet(begun, lapse)
	if len(again) == 0 {
		again = append(again, k.one())
	}
	second := again[0]
	lapsed(lapse)
	k.receives(second, 2)
	if second.ID != first.ID || string(second.Body) != "x" {
		k.Errorf("received %q %q, want %q %q again", second.ID, second.Body, first.ID, first.Body)
	}
	if second.Receipt == first.Receipt {
		k.Errorf("both receives have the receipt %q", first.Receipt)
	}
	if !second.SentAt.Equal(first.SentAt) {
		k.Errorf("SentAt changed from %v to %v", first.SentAt, second.SentAt)
	}
}

func extended(k *kit) {
	k.send(text("x")...)
	m := k.one()
	k.extend(time.Hour, m)
	k.none(k.Queue, patience)
	k.extend(0, m)
	k.receives(k.one(), 2)
}

func handedBack(k *kit) {
	k.send(text("x")...)
	for n := range 3 {
		m := k.one()
		k.receives(m, n+1)
		k.extend(0, m)
	}
}

// notFound checks that exactly the first of a batch was reported.
func notFound(k *kit, op string, err error) {
	k.Helper()
	failed, ok := errors.AsType[*worker.BatchError](err)
	if !ok {
		k.Errorf("%s: %v, want a *worker.BatchError", op, err)
		return
	}
	if len(failed.Failed) != 1 || !errors.Is(failed.Failed[0], push.ErrNotFound) {
		k.Errorf("%s: failed %v, want position 0 with push.ErrNotFound", op, failed.Failed)
	}
	if !errors.Is(err, push.ErrNotFound) {
		k.Errorf("%s: %v does not unwrap to push.ErrNotFound", op, err)
	}
}

func extendDeleted(k *kit) {
	k.send(text("gone", "here")...)
	two := k.collect(k.Queue, 2)
	k.remove(two[0])
	notFound(k, "Extend", k.Queue.Extend(k.ctx, two, time.Hour))
}

func staleReceipt(k *kit) {
	k.send(text("x")...)
	first := k.one()
	k.extend(0, first)
	second := k.one()
	notFound(k, "Extend", k.Queue.Extend(k.ctx, []worker.Message{first}, 0))
	k.remove(first) // no error, and no effect
	k.extend(0, second)
	k.remove(k.one())
}

func garbageReceipt(k *kit) {
	k.send(text("x")...)
	good := k.one()
	for _, receipt := range []string{"", "x", "1", "-1.-1", "999999999.1", "1.1.1"} {
		batch := []worker.Message{{Receipt: receipt}, good}
		notFound(k, "Extend with receipt "+receipt, k.Queue.Extend(k.ctx, batch, time.Hour))
	}
}

func deleteAfterLapse(k *kit) {
	k.send(text("x")...)
	m := k.one()
	k.extend(0, m) // as if it had lapsed
	k.remove(m)
	k.none(k.Queue, lapse)
}

func totalVisibility(k *kit) {
	k.send(text("x")...)
	m := k.one()
	k.extend(worker.MaxVisibility, m)
	time.Sleep(time.Hour)
	k.extend(worker.MaxVisibility-time.Hour, m)
	err := k.Queue.Extend(k.ctx, []worker.Message{m}, worker.MaxVisibility-time.Hour+time.Second)
	if failed, ok := errors.AsType[*worker.BatchError](err); !ok || errors.Is(failed, push.ErrNotFound) {
		k.Errorf("Extend beyond %v in total: %v, want a *worker.BatchError that is not push.ErrNotFound", worker.MaxVisibility, err)
	}
}

func delayed(k *kit) {
	const delay = 2 * time.Second
	begun, due := time.Now(), k.stopwatch()
	k.send(worker.Outgoing{Body: []byte("later"), Delay: delay}, worker.Outgoing{Body: []byte("now")})
	now := k.one()
	if string(now.Body) != "now" {
		if took := time.Since(begun); took < delay {
			k.Fatalf("received %q after %v, want %q", now.Body, took, "now")
		}
		k.Skipf("the queue took more than %v to answer: both messages were due", delay)
	}
	k.remove(now)
	later := k.notYet(begun, delay)
	if len(later) == 0 {
		later = append(later, k.one())
	}
	if string(later[0].Body) != "later" {
		k.Errorf("received %q, want %q", later[0].Body, "later")
	}
	due(delay)
}

// maxReceives is how often redrive lets a message be received.
const maxReceives = 2

func redrive(k *kit) {
	const body = `{"text":"<&> \u00fc"}`
	k.send(worker.Outgoing{Body: []byte(body), Group: "acme"})
	for range maxReceives {
		k.extend(0, k.one())
	}
	k.none(k.DeadLetters, 0) // it moves with the receive that would be one too many
	k.none(k.Queue, lapse)
	m := k.collect(k.DeadLetters, 1)[0]
	if string(m.Body) != body {
		k.Errorf("dead letter %q, want %q", m.Body, body)
	}
	if m.Receives <= maxReceives {
		k.Errorf("dead letter received %d times in all, want more than %d: what came otherwise is told by it", m.Receives, maxReceives)
	}
	if k.features.Groups && m.Group != "acme" {
		k.Errorf("dead letter of group %q, want %q", m.Group, "acme")
	}
	if err := k.DeadLetters.Delete(k.ctx, []worker.Message{m}); err != nil {
		k.Errorf("Delete: %v", err)
	}
	k.none(k.Queue, 0)
}

func poison(k *kit) {
	k.sendMany("poison", 15)
	k.extendAll(0, k.collect(k.Queue, 15))
	k.send(text("healthy")...)
	if m := k.one(); string(m.Body) != "healthy" {
		k.Errorf("received %q, want %q", m.Body, "healthy")
	}
	k.none(k.Queue, lapse)
	k.collect(k.DeadLetters, 15)
}

func (k *kit) extendAll(visibility time.Duration, msgs []worker.Message) {
	k.Helper()
	for len(msgs) > 0 {
		n := min(worker.MaxBatch, len(msgs))
		k.extend(visibility, msgs[:n]...)
		msgs = msgs[n:]
	}
}
