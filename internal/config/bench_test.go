package config

import (
	"strings"
	"testing"
	"time"
)

func TestBenchOfAccepting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		set   func(*Bench)
		fault string
	}{
		{"one rate", func(b *Bench) { b.AcceptRate = 1700 }, ""},
		{"the highest rate", func(b *Bench) { b.AcceptRate, b.AcceptWithin = 1700, time.Second }, ""},
		{"a search without a beginning", func(b *Bench) { b.AcceptWithin = time.Second }, "--accept-within"},
		{"beside a batch", func(b *Bench) { b.AcceptRate, b.Beside = 50, 1_000_000 }, ""},
		{"a batch beside nothing", func(b *Bench) { b.Beside = 1000 }, "--beside"},
		{"a search beside a batch", func(b *Bench) { b.AcceptRate, b.AcceptWithin, b.Beside = 1, time.Second, 1000 }, "--beside"},
		{"on AWS", func(b *Bench) { b.AcceptRate, b.Backend = 1, BackendAWS }, "--accept-rate"},
		{"too many", func(b *Bench) { b.AcceptRate = 1_000_000 }, "--accept-rate"},
		{"too short", func(b *Bench) { b.For = time.Millisecond }, "--for"},
		{"too long", func(b *Bench) { b.AcceptRate, b.AcceptWithin = 1, time.Hour }, "--accept-within"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := Bench{Backend: BackendEmbedded, Recipients: 1000, For: time.Second, FCM: FCM{PerSecond: 1, Connections: 1}}
			c.set(&b)
			err := b.Validate()
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want a fault of %q", err, c.fault)
			}
		})
	}
}
