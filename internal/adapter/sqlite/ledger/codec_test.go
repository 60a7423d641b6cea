package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

func anyCode() *rapid.Generator[push.Code] {
	return rapid.Map(rapid.SampledFrom(push.Codes()), func(f push.Facts) push.Code { return f.Code })
}

func anyAttempt() *rapid.Generator[ledger.Attempt] {
	return rapid.Custom(func(t *rapid.T) ledger.Attempt {
		a := ledger.Attempt{
			Cell:    rapid.IntRange(0, push.MaxChunkRecipients-1).Draw(t, "cell"),
			Attempt: rapid.IntRange(1, 1000).Draw(t, "attempt"),
			Code:    anyCode().Draw(t, "code"),
			Latency: time.Duration(rapid.IntRange(0, 3_600_000).Draw(t, "latency")) * time.Millisecond,
			Detail:  rapid.OneOf(rapid.String(), rapid.StringMatching(`projects/p/messages/[0-9]{3}`)).Draw(t, "detail"),
		}
		if rapid.Bool().Draw(t, "timed") {
			a.At = time.UnixMilli(rapid.Int64Range(-1<<45, 1<<45).Draw(t, "at")).UTC()
		}
		return a
	})
}

func TestAttemptsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(anyAttempt(), 0, 20).Draw(t, "attempts")
		got, err := decodeAttempts(nil, encodeAttempts(want))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("attempts (-want +got):\n%s%v", diff, err)
		}
	})
}

func TestAttemptsAreSmall(t *testing.T) {
	t.Parallel()
	attempts := make([]ledger.Attempt, 50)
	for i := range attempts {
		attempts[i] = ledger.Attempt{
			Cell: i, Attempt: 1, Code: push.CodeSent, At: benchTime().Add(time.Duration(i) * time.Millisecond), Latency: 48 * time.Millisecond,
			Detail: "projects/my-project/messages/0:1700000000" + string(rune('a'+i%26)) + "123456%31bd1c9631bd1c96",
		}
	}
	if n := len(encodeAttempts(attempts)); n > 50*50 {
		t.Errorf("50 attempts take %d bytes", n)
	}
}

func TestNewerFormatsAreNotMisread(t *testing.T) {
	t.Parallel()
	if _, err := decodeAttempts(nil, []byte{evidenceFormat + 1, 0}); !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("attempts: %v", err)
	}
}

// FuzzDecodeAttempts: damaged storage is an error, never a panic or a flood.
func FuzzDecodeAttempts(f *testing.F) {
	f.Add(encodeAttempts(nil))
	f.Add(encodeAttempts([]ledger.Attempt{
		{Cell: 1, Attempt: 1, Code: push.CodeSent, At: benchTime(), Detail: "projects/p"}, {Cell: 499, Detail: "projects/q"},
	}))
	f.Add([]byte{})
	f.Add([]byte{evidenceFormat, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		attempts, err := decodeAttempts(nil, b)
		if len(attempts) > len(b) {
			t.Fatalf("%d attempts in %d bytes", len(attempts), len(b))
		}
		if err != nil {
			return
		}
		again, err := decodeAttempts(nil, encodeAttempts(attempts))
		if err != nil || !cmp.Equal(again, attempts) {
			t.Fatalf("read as %v, then as %v, %v", attempts, again, err)
		}
	})
}

func TestTalliesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.Custom(func(t *rapid.T) ledger.Cell {
			return ledger.CellOf(anyCode().Draw(t, "code"), rapid.Bool().Draw(t, "twice"))
		})
		var want, got ledger.Counts
		var joined []byte
		for _, cells := range rapid.SliceOfN(rapid.SliceOfN(cell, 0, push.MaxChunkRecipients), 0, 4).Draw(t, "lines") {
			for _, c := range cells {
				want.AddCells(c, 1)
			}
			joined = appendTally(joined, cells)
		}
		if err := addTallies(&got, joined); err != nil || got != want {
			t.Fatalf("sums are %+v, %v; want %+v", got, err, want)
		}
	})
	if addTallies(&ledger.Counts{}, []byte{1, 0}) == nil {
		t.Error("half a tally was added")
	}
}

func TestHashesComeBack(t *testing.T) {
	t.Parallel()
	want := []uint64{0, 1, 1 << 63, ^uint64(0), 0x0102030405060708}
	b := hashBytes(want)
	if b[len(b)-8] != 1 || b[len(b)-1] != 8 {
		t.Errorf("not big endian: %x", b)
	}
	got, err := decodeHashes(b)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("hashes are %v, %v", got, err)
	}
	if _, err := decodeHashes(b[1:]); err == nil {
		t.Error("half a hash was read")
	}
}
