package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
)

const tenant = "acme"

func start() time.Time { return time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC) }

// chain is a log of three blocks of four entries, 1 to 12, with the heads of 4 and 12 kept.
type chain struct {
	blocks []audit.Block
	kept   []audit.Head
	given  []audit.Head
	point  *audit.Checkpoint
}

// trim removes the first blocks, as retention does.
func (c *chain) trim(tb testing.TB, n int) {
	tb.Helper()
	h := c.blocks[n-1].Head
	c.point = &audit.Checkpoint{Tenant: tenant, Seq: h.Seq, Hash: h.Hash, Time: steady(100)}
	audittest.Keys(tb).SignCheckpoint(c.point)
	c.blocks = c.blocks[n:]
	c.kept = slices.DeleteFunc(c.kept, func(k audit.Head) bool { return k.Seq < h.Seq })
}

func newChain(tb testing.TB, whose string, at func(seq int64) time.Time) *chain {
	tb.Helper()
	const blocks, each = 3, 4
	c, hash := &chain{}, audit.Genesis(whose)
	for n := range blocks {
		b := audit.Block{Tenant: whose, First: int64(n*each + 1)}
		for i := range int64(each) {
			seq := b.First + i
			raw, err := audit.Entry{
				Tenant: whose, Seq: seq, Time: at(seq), Who: audit.Who{Name: "key:1"}, Action: "cancelNotification", Kind: audit.Change,
				Target: audit.Target{Kind: "notifications", ID: fmt.Sprint("ntf_", seq)}, Status: 200,
			}.Canonical()
			if err != nil {
				tb.Fatal(err)
			}
			hash = audit.Next(hash, raw)
			b.Lines = append(b.Lines, audit.Line{Entry: raw, Hash: hash})
		}
		b.Head = audit.Head{Tenant: whose, Seq: b.First + each - 1, Hash: hash, Time: at(b.First + each - 1)}
		audittest.Keys(tb).Sign(&b.Head)
		c.blocks = append(c.blocks, b)
	}
	c.kept = []audit.Head{c.blocks[0].Head, c.blocks[2].Head}
	return c
}

func steady(seq int64) time.Time { return start().Add(time.Duration(seq) * time.Second) }

func (c *chain) verify(tb testing.TB) audit.Report {
	tb.Helper()
	v := audit.NewVerifier(tenant, 1, audit.Hash{}, audittest.Keys(tb).Public(), slices.Values(c.kept), c.given...)
	if c.point != nil {
		v.Checkpoint("checkpoint", *c.point)
	}
	for _, b := range c.blocks {
		place := fmt.Sprint("block ", b.First)
		for _, l := range b.Lines {
			v.Line(place, l)
		}
		v.Head(place, b.Head)
	}
	return v.Finish()
}

// rehash gives the lines of a block, and those behind it, hashes that fit.
func (c *chain) rehash(from int) {
	hash := audit.Genesis(tenant)
	if from > 0 {
		hash = c.blocks[from-1].Head.Hash
	}
	for i := from; i < len(c.blocks); i++ {
		b := &c.blocks[i]
		for n := range b.Lines {
			hash = audit.Next(hash, b.Lines[n].Entry)
			b.Lines[n].Hash = hash
		}
	}
}

func replace(l *audit.Line, old, with string) {
	l.Entry = json.RawMessage(strings.Replace(string(l.Entry), old, with, 1))
}

func thief() *audit.Keyring {
	k, _ := audit.NewKeyring(ed25519.NewKeyFromSeed(bytes.Repeat([]byte("x"), ed25519.SeedSize)))
	return k
}

// Whatever is done to a log is found, named and placed.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(tb testing.TB, c *chain)
		want []string // fault, first and last sequence number, place
	}{
		"nothing": {func(testing.TB, *chain) {}, nil},
		"an entry is edited": {
			func(_ testing.TB, c *chain) { replace(&c.blocks[1].Lines[1], "key:1", "key:2") },
			[]string{"edited 6-6 block 5"},
		},
		"two entries are edited": {func(_ testing.TB, c *chain) {
			replace(&c.blocks[1].Lines[1], "key:1", "key:2")
			replace(&c.blocks[2].Lines[0], "200", "403")
		}, []string{"edited 6-6 block 5", "edited 9-9 block 9"}},
		"an entry is edited, and its block made to fit": {func(_ testing.TB, c *chain) {
			kept := c.blocks[2]
			replace(&c.blocks[1].Lines[1], "key:1", "key:2")
			c.blocks = c.blocks[:2]
			c.rehash(1)
			c.blocks = append(c.blocks, kept)
		}, []string{"rewritten 5-8 block 5"}},
		"an entry is edited, and all behind it made to fit and signed anew": {func(_ testing.TB, c *chain) {
			replace(&c.blocks[1].Lines[1], "key:1", "key:2")
			c.rehash(1)
			for i := range c.blocks {
				c.blocks[i].Head.Hash = c.blocks[i].Lines[3].Hash
				if i > 0 {
					thief().Sign(&c.blocks[i].Head)
				}
			}
		}, []string{"rewritten 5-12 kept head", "forged 8-8 block 5", "forged 12-12 block 9"}},
		"a hash is edited": {
			func(_ testing.TB, c *chain) { c.blocks[1].Lines[3].Hash = audit.Hash{1} },
			[]string{"rewritten 5-8 block 5", "edited 8-8 block 5"},
		},
		"an entry is removed": {
			func(_ testing.TB, c *chain) { c.blocks[1].Lines = slices.Delete(c.blocks[1].Lines, 1, 2) },
			[]string{"missing 6-6 block 5"},
		},
		"the last entry of a block is removed": {
			func(_ testing.TB, c *chain) { c.blocks[1].Lines = c.blocks[1].Lines[:3] },
			[]string{"missing 8-8 block 5"},
		},
		"a block is removed": {
			func(_ testing.TB, c *chain) { c.blocks = slices.Delete(c.blocks, 1, 2) },
			[]string{"missing 5-8 block 9"},
		},
		"the first block is removed": {
			func(_ testing.TB, c *chain) { c.blocks = c.blocks[1:] },
			[]string{"missing 1-4 block 5"},
		},
		"an entry is removed, and the others renumbered": {func(_ testing.TB, c *chain) {
			c.blocks[1].Lines = slices.Delete(c.blocks[1].Lines, 1, 2)
			replace(&c.blocks[1].Lines[1], `"seq":7`, `"seq":6`)
			replace(&c.blocks[1].Lines[2], `"seq":8`, `"seq":7`)
			c.blocks = c.blocks[:2]
			c.kept = c.kept[:1]
			c.rehash(1)
		}, []string{"missing 8-8 block 5"}},
		"two entries change places": {func(_ testing.TB, c *chain) {
			l := c.blocks[1].Lines
			l[1], l[2] = l[2], l[1]
		}, []string{"reordered 6-6 block 5"}},
		"two blocks change places": {
			func(_ testing.TB, c *chain) { c.blocks[1], c.blocks[2] = c.blocks[2], c.blocks[1] },
			[]string{"reordered 5-5 block 5", "reordered 6-6 block 5", "reordered 7-7 block 5", "reordered 8-8 block 5"},
		},
		"an entry is there twice": {func(_ testing.TB, c *chain) {
			c.blocks[1].Lines = slices.Insert(c.blocks[1].Lines, 2, c.blocks[1].Lines[1])
		}, []string{"duplicate 6-6 block 5"}},
		"an entry is inserted": {func(_ testing.TB, c *chain) {
			l := c.blocks[1].Lines[1]
			replace(&l, "key:1", "key:2")
			l.Hash = audit.Hash{1}
			c.blocks[1].Lines = slices.Insert(c.blocks[1].Lines, 2, l)
		}, []string{"inserted 6-6 block 5"}},
		"a block is there twice": {
			func(_ testing.TB, c *chain) { c.blocks = slices.Insert(c.blocks, 1, c.blocks[0]) },
			[]string{"duplicate 1-1 block 1", "duplicate 2-2 block 1", "duplicate 3-3 block 1", "duplicate 4-4 block 1"},
		},
		"an entry of another tenant": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.blocks[1].Lines = slices.Insert(c.blocks[1].Lines, 1, newChain(tb, "other", steady).blocks[1].Lines[1])
		}, []string{"foreign 6-6 block 5"}},
		"a block of another tenant": {
			func(tb testing.TB, c *chain) {
				tb.Helper()
				c.blocks[2] = newChain(tb, "other", steady).blocks[2]
			},
			[]string{
				"foreign 9-9 block 9", "truncated 9-12 end", "foreign 10-10 block 9", "foreign 11-11 block 9", "foreign 12-12 block 9",
				"foreign 12-12 block 9",
			},
		},
		"the last block is removed": {func(_ testing.TB, c *chain) { c.blocks = c.blocks[:2] }, []string{"truncated 9-12 end"}},
		"the last block is removed, and its head; one was noted down": {func(_ testing.TB, c *chain) {
			c.given = []audit.Head{{Seq: 12, Hash: c.blocks[2].Head.Hash}}
			c.blocks, c.kept = c.blocks[:2], c.kept[:1]
		}, []string{"truncated 9-12 end"}},
		"another chain than the one that was noted down": {
			func(_ testing.TB, c *chain) { c.given = []audit.Head{{Seq: 2, Hash: audit.Hash{1}}} },
			[]string{"rewritten 1-2 given head"},
		},
		"a signature is edited": {func(_ testing.TB, c *chain) {
			c.blocks[1].Head.Signature = slices.Clone(c.blocks[1].Head.Signature)
			c.blocks[1].Head.Signature[0] ^= 1
		}, []string{"forged 8-8 block 5"}},
		"the time of a head is edited": {func(_ testing.TB, c *chain) { c.blocks[1].Head.Time = start() }, []string{"forged 8-8 block 5"}},
		"the last head is forged": {func(_ testing.TB, c *chain) {
			thief().Sign(&c.blocks[2].Head)
			c.kept = c.kept[:1]
		}, []string{"unsigned 9-12 end", "forged 12-12 block 9"}},
		"a kept head is forged": {func(_ testing.TB, c *chain) { thief().Sign(&c.kept[1]) }, []string{"forged 12-12 kept head"}},
		"a kept head is of another tenant": {
			func(tb testing.TB, c *chain) {
				tb.Helper()
				c.kept[0] = newChain(tb, "other", steady).kept[0]
			},
			[]string{"foreign 4-4 kept head"},
		},
		"old entries were removed": {func(tb testing.TB, c *chain) { tb.Helper(); c.trim(tb, 1) }, nil},
		"old entries are being removed": {func(tb testing.TB, c *chain) {
			tb.Helper()
			all := c.blocks
			c.trim(tb, 2)
			c.blocks = all[1:]
		}, nil},
		"a checkpoint is edited to say more": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			c.point.Seq, c.point.Hash = 8, c.blocks[0].Head.Hash
			c.blocks = c.blocks[1:]
		}, []string{"missing 1-8 block 9", "forged 8-8 checkpoint"}},
		"a checkpoint's hash is edited": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			c.point.Hash[0] ^= 1
		}, []string{"missing 1-4 block 5", "forged 4-4 checkpoint"}},
		"a checkpoint's time is edited": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			c.point.Time = start()
		}, []string{"missing 1-4 block 5", "forged 4-4 checkpoint"}},
		"a checkpoint is signed with another key": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			thief().SignCheckpoint(c.point)
		}, []string{"missing 1-4 block 5", "forged 4-4 checkpoint"}},
		"a head stands where the checkpoint was": {func(tb testing.TB, c *chain) {
			tb.Helper()
			h := audit.Checkpoint(c.blocks[0].Head)
			c.trim(tb, 1)
			c.point = &h
		}, []string{"missing 1-4 block 5", "forged 4-4 checkpoint"}},
		"a checkpoint of another tenant": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			c.point.Tenant = "other"
			audittest.Keys(tb).SignCheckpoint(c.point)
		}, []string{"missing 1-4 block 5", "foreign 4-4 checkpoint"}},
		"a checkpoint is removed": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			c.point = nil
		}, []string{"missing 1-4 block 5"}},
		"more was removed than the checkpoint says": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 1)
			c.blocks = c.blocks[1:]
		}, []string{"missing 5-8 block 9"}},
		"all was removed, and the checkpoint is left": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 2)
			c.blocks, c.kept = nil, nil
		}, []string{"truncated 9-9 end"}},
		"the rest does not go on from the checkpoint": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 2)
			replace(&c.blocks[0].Lines[0], "key:1", "key:2")
		}, []string{"edited 9-9 block 9"}},
		"a noted head is not what the checkpoint says": {func(tb testing.TB, c *chain) {
			tb.Helper()
			c.trim(tb, 2)
			c.given = []audit.Head{{Seq: 4, Hash: audit.Hash{1}}, {Seq: 8, Hash: audit.Hash{1}}}
		}, []string{"rewritten 1-8 given head"}},
		"an entry is no JSON": {
			func(_ testing.TB, c *chain) { c.blocks[1].Lines[1].Entry = []byte("{") },
			[]string{"malformed 0-0 block 5", "missing 6-6 block 5"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t, tenant, steady)
			tt.do(t, c)
			r := c.verify(t)
			var got []string
			for _, f := range r.Findings {
				got = append(got, fmt.Sprintf("%s %d-%d %s", f.Fault, f.Seq, f.Until, f.Place))
				if f.Detail == "" {
					t.Errorf("%s without a word", f.Fault)
				}
			}
			if !slices.Equal(got, tt.want) || r.OK() != (tt.want == nil) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// A clock that went back is worth a note, and no tampering.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	c := newChain(t, tenant, func(seq int64) time.Time {
		if seq >= 7 {
			return start()
		}
		return steady(seq)
	})
	r := c.verify(t)
	if !r.OK() || len(r.Notes) != 1 || r.Notes[0].Seq != 7 || r.Notes[0].Fault != audit.NoteClock {
		t.Errorf("%+v", r)
	}
	if r.First != 1 || r.Last != 12 || r.Entries != 12 || r.Head.Seq != 12 || r.Heads != 5 {
		t.Errorf("%+v", r)
	}
}

// An empty log is whole, unless there is a head of it.
func TestEmptyLog(t *testing.T) {
	t.Parallel()
	c := newChain(t, tenant, steady)
	empty := &chain{}
	if r := empty.verify(t); !r.OK() {
		t.Errorf("%+v", r)
	}
	empty.kept = c.kept
	if r := empty.verify(t); len(r.Findings) != 1 || r.Findings[0].Fault != audit.FaultTruncated {
		t.Errorf("%+v", r)
	}
}

// A report says from when on entries are there, and up to where they were removed.
func TestSince(t *testing.T) {
	t.Parallel()
	c := newChain(t, tenant, steady)
	if r := c.verify(t); !r.Since.Equal(steady(1)) || r.Removed != nil {
		t.Errorf("%+v", r)
	}
	c.trim(t, 2)
	if r := c.verify(t); !r.Since.Equal(steady(9)) || r.Removed == nil || r.Removed.Seq != 8 || r.First != 9 || r.Entries != 4 {
		t.Errorf("%+v", r)
	}
}
