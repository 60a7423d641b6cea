package workertest

import (
	"bytes"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

func roundTripCases() []testCase {
	return []testCase{
		{name: "round trip keeps every byte", run: roundTrip},
		{name: "round trip of characters beyond U+FFFF", needs: func(f Features) bool { return f.EmojiBodies }, run: emoji},
		{name: "a message knows its story", run: story},
		{name: "a deleted message does not come back", run: deleted},
		{name: "deleting twice is fine", run: deletedTwice},
		{name: "empty batches are fine", run: emptyBatches},
		{name: "survives a restart", run: restart},
		{name: "depth", needs: func(f Features) bool { return f.Depth }, run: depth},
	}
}

func roundTrip(k *kit) {
	for _, body := range []string{
		"x",
		`{"version":1,"tokens":["a","b"],"text":"\u00fc \ud83d\udd14"}`,
		"<a href=\"x\">&amp;</a>]]>'",
		" leading, trailing, \t tab, \r\n line \n",
		strings.Repeat("0123456789abcdef", 60<<10/16),
		strings.Repeat("m", worker.MaxBodyBytes),
	} {
		k.send(text(body)...)
		m := k.one()
		if !bytes.Equal(m.Body, []byte(body)) {
			k.Errorf("sent %d bytes %.60q, received %d bytes %.60q", len(body), body, len(m.Body), m.Body)
		}
		k.remove(m)
	}
	k.none(k.Queue, 0)
}

func emoji(k *kit) {
	const body = "Glocke 🔔 ü 鈴"
	k.send(text(body)...)
	if m := k.one(); string(m.Body) != body {
		k.Errorf("sent %q, received %q", body, m.Body)
	}
}

func story(k *kit) {
	before := time.Now()
	k.send(worker.Outgoing{Body: []byte("1"), Group: "acme"}, worker.Outgoing{Body: []byte("2")})
	after := time.Now()
	ids, groups := map[string]bool{}, map[string]string{}
	for _, m := range k.collect(k.Queue, 2) {
		k.receives(m, 1)
		ids[m.ID] = true
		groups[string(m.Body)] = m.Group
		if m.ID == "" || m.Receipt == "" {
			k.Errorf("message %q: ID %q and Receipt %q must not be empty", m.Body, m.ID, m.Receipt)
		}
		// A queue's clock may be another machine's and have a coarser unit.
		if m.SentAt.Before(before.Add(-time.Minute)) || m.SentAt.After(after.Add(time.Minute)) {
			k.Errorf("SentAt = %v, sent between %v and %v", m.SentAt, before, after)
		}
	}
	if len(ids) != 2 {
		k.Errorf("IDs are not distinct: %v", ids)
	}
	if k.features.Groups && (groups["1"] != "acme" || groups["2"] != "") {
		k.Errorf("groups by body = %v, want 1:acme and 2 without one", groups)
	}
}

func deleted(k *kit) {
	k.send(text("gone", "stays")...)
	// Both are in hand before the time of either is short: none comes twice between two polls.
	both := k.collect(k.Queue, 2)
	k.extend(lapse, both...)
	stays := 0
	for _, m := range both {
		if string(m.Body) == "gone" {
			k.remove(m)
			continue
		}
		stays++
	}
	m := k.one() // after the lapse
	if string(m.Body) != "stays" || stays != 1 {
		k.Fatalf("received %q again, want only %q", m.Body, "stays")
	}
	k.remove(m)
	k.none(k.Queue, patience)
}

func deletedTwice(k *kit) {
	k.send(text("x")...)
	m := k.one()
	k.remove(m)
	k.remove(m)
}

func emptyBatches(k *kit) {
	k.send()
	k.remove()
	k.extend(lapse)
	k.none(k.Queue, 0)
}

func restart(k *kit) {
	if k.Reopen == nil {
		k.Skip("the driver has nothing to reopen")
	}
	k.send(text("deleted", "in flight", "waiting")...)
	k.send(worker.Outgoing{Body: []byte("delayed"), Delay: time.Second})
	var held worker.Message
	for _, m := range k.collect(k.Queue, 3) {
		switch string(m.Body) {
		case "deleted":
			k.remove(m)
		case "in flight":
			held = m
		default:
			k.extend(0, m)
		}
	}
	k.Queue = k.Reopen(k.T)
	bodies := map[string]bool{}
	for _, m := range k.collect(k.Queue, 2) {
		bodies[string(m.Body)] = true
	}
	if !bodies["waiting"] || !bodies["delayed"] {
		k.Errorf("received %v after the restart, want waiting and delayed", bodies)
	}
	k.extend(0, held) // the receipt outlives the restart
	if m := k.one(); string(m.Body) != "in flight" {
		k.Errorf("received %q, want %q", m.Body, "in flight")
	}
}

func depth(k *kit) {
	gauge, ok := k.Queue.(worker.Gauge)
	if !ok {
		k.Fatal("the queue is no worker.Gauge")
	}
	check := func(want worker.Depth) {
		k.Helper()
		got, err := gauge.Depth(k.ctx)
		if err != nil {
			k.Fatalf("Depth: %v", err)
		}
		if !k.features.VirtualClock {
			got.OldestAge, want.OldestAge = 0, 0
		}
		if got != want {
			k.Errorf("Depth = %+v, want %+v", got, want)
		}
	}
	check(worker.Depth{})
	k.sendMany("a", 3)
	k.send(worker.Outgoing{Body: []byte("b"), Group: "b"}, worker.Outgoing{Body: []byte("later"), Delay: time.Minute})
	check(worker.Depth{Visible: 4, Delayed: 1})
	k.remove(k.one())
	held := k.one()
	check(worker.Depth{Visible: 2, InFlight: 1, Delayed: 1})
	k.extend(2*time.Minute, held)
	if k.features.VirtualClock {
		time.Sleep(time.Minute)
		check(worker.Depth{Visible: 3, InFlight: 1, OldestAge: time.Minute})
	}
}
