package workertest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

func limitCases() []testCase {
	return []testCase{
		{name: "a batch that is too big is refused whole", run: batchTooBig},
		{name: "a bad message does not hold up its batch", run: partialFailure},
		{name: "arguments out of range are refused", run: badArguments},
		{name: "the limits themselves are allowed", run: atTheLimits},
	}
}

func batchTooBig(k *kit) {
	half := bytes.Repeat([]byte("x"), worker.MaxBodyBytes/2+1)
	for _, c := range []struct {
		name string
		msgs []worker.Outgoing
	}{
		{"messages", slices.Repeat(text("x"), worker.MaxBatch+1)},
		{"bytes", []worker.Outgoing{{Body: half}, {Body: half}}},
	} {
		err := k.Queue.Send(k.ctx, c.msgs)
		if err == nil {
			k.Errorf("Send with too many %s: no error", c.name)
		}
		if _, partial := errors.AsType[*worker.BatchError](err); partial {
			k.Errorf("Send with too many %s: %v, want an error of the whole call", c.name, err)
		}
	}
	k.none(k.Queue, lapse)
}

func partialFailure(k *kit) {
	for _, c := range []struct {
		name string
		bad  worker.Outgoing
	}{
		{"empty body", worker.Outgoing{}},
		{"body too long", worker.Outgoing{Body: bytes.Repeat([]byte("x"), worker.MaxBodyBytes+1)}},
		{"body too long in bytes", worker.Outgoing{Body: bytes.Repeat([]byte("ü"), worker.MaxBodyBytes/2+1)}},
		{"group too long", worker.Outgoing{Body: []byte("x"), Group: strings.Repeat("g", 129)}},
		{"group with a space", worker.Outgoing{Body: []byte("x"), Group: "a b"}},
		{"group beyond ASCII", worker.Outgoing{Body: []byte("x"), Group: "größe"}},
		{"control character", worker.Outgoing{Body: []byte("ab\x1b[2J")}},
		{"U+0000", worker.Outgoing{Body: []byte("\x00")}},
		{"not UTF-8", worker.Outgoing{Body: []byte("Fran\xe7ois")}},
		{"a surrogate", worker.Outgoing{Body: []byte("\xed\xa0\xbd")}},
		{"U+FFFE", worker.Outgoing{Body: []byte("\ufffe")}},
		{"U+FFFF", worker.Outgoing{Body: []byte("\uffff")}},
		{"delay too long", worker.Outgoing{Body: []byte("x"), Delay: worker.MaxDelay + time.Second}},
		{"delay below zero", worker.Outgoing{Body: []byte("x"), Delay: -time.Second}},
		{"delay of half a second", worker.Outgoing{Body: []byte("x"), Delay: time.Second / 2}},
	} {
		err := k.Queue.Send(k.ctx, []worker.Outgoing{{Body: []byte("good 1")}, c.bad, {Body: []byte("good 2")}})
		failed, ok := errors.AsType[*worker.BatchError](err)
		if !ok {
			k.Errorf("%s: %v, want a *worker.BatchError", c.name, err)
			continue
		}
		if len(failed.Failed) != 1 || failed.Failed[1] == nil {
			k.Errorf("%s: failed %v, want position 1 only", c.name, failed.Failed)
		}
		got := k.collect(k.Queue, 2)
		for _, m := range got {
			if !strings.HasPrefix(string(m.Body), "good") {
				k.Errorf("%s: received %.20q", c.name, m.Body)
			}
		}
		k.remove(got...)
	}
	k.none(k.Queue, 0)
}

func badArguments(k *kit) {
	k.send(text("x")...)
	for _, limit := range []int{-1, 0, worker.MaxBatch + 1} {
		if _, err := k.Queue.Receive(k.ctx, limit, 0); err == nil {
			k.Errorf("Receive with limit %d: no error", limit)
		}
	}
	for _, wait := range []time.Duration{-time.Second, worker.MaxWait + time.Second} {
		if _, err := k.Queue.Receive(k.ctx, 1, wait); err == nil {
			k.Errorf("Receive with wait %v: no error", wait)
		}
	}
	m := k.one()
	for _, visibility := range []time.Duration{-time.Second, worker.MaxVisibility + time.Second} {
		if err := k.Queue.Extend(k.ctx, []worker.Message{m}, visibility); err == nil {
			k.Errorf("Extend by %v: no error", visibility)
		}
	}
	eleven := slices.Repeat([]worker.Message{m}, worker.MaxBatch+1)
	if err := k.Queue.Extend(k.ctx, eleven, lapse); err == nil {
		k.Error("Extend of 11 messages: no error")
	}
	if err := k.Queue.Delete(k.ctx, eleven); err == nil {
		k.Error("Delete of 11 messages: no error")
	}
	k.remove(m)
}

func atTheLimits(k *kit) {
	full := slices.Repeat([]worker.Outgoing{{Body: make([]byte, worker.MaxBodyBytes/worker.MaxBatch), Group: strings.Repeat("g", 128)}},
		worker.MaxBatch)
	for i := range full {
		full[i].Body = bytes.Repeat([]byte{'a' + byte(i)}, len(full[i].Body))
	}
	k.send(full...)
	got := k.collect(k.Queue, worker.MaxBatch)
	first := map[byte]bool{}
	for _, m := range got {
		first[m.Body[0]] = true
	}
	if len(first) != worker.MaxBatch {
		k.Errorf("received %d distinct messages, want %d", len(first), worker.MaxBatch)
	}
	k.extend(lapse, got...)
	k.remove(got...)
	k.send(worker.Outgoing{Body: []byte("x"), Delay: worker.MaxDelay})
	k.none(k.Queue, 0)
}
