package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

func attemptsOf(t *rapid.T) []ledger.Attempt {
	codes := push.Codes()
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ledger.Attempt {
		return ledger.Attempt{
			Cell: rapid.IntRange(0, 499).Draw(t, "cell"), Attempt: rapid.IntRange(0, 1<<20).Draw(t, "attempt"),
			Code:    codes[rapid.IntRange(0, len(codes)-1).Draw(t, "code")].Code,
			At:      time.UnixMilli(rapid.Int64Range(-1<<45, 1<<45).Draw(t, "at")).UTC(),
			Latency: time.Duration(rapid.Int64Range(0, 1<<30).Draw(t, "latency")) * time.Millisecond,
			Detail:  rapid.StringN(0, -1, 300).Draw(t, "detail"),
		}
	}), 0, 60).Draw(t, "attempts")
}

func TestAttemptsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := attemptsOf(t)
		b, err := encodeAttempts(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeAttempts(nil, b)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	})
}

// TestCheckpointCost holds the promise that 50 answers of FCM fit one write unit.
func TestCheckpointCost(t *testing.T) {
	t.Parallel()
	b, err := encodeAttempts(answers(50, at()))
	must(t, err)
	i := series{epoch: 1}.key(push.ChunkRef{Notification: push.NewID(push.PrefixBatch), Seq: 7}, at().UnixMicro())
	i[attrEvidence], i[table.TTLAttribute] = table.Blob(b), table.Number(at().Unix())
	if size := table.ItemSize(i); size > 1024 {
		t.Errorf("50 attempts take %d bytes, more than one write unit", size)
	}
}

// answers are what FCM says to n accepted sends.
func answers(n int, from time.Time) []ledger.Attempt {
	out := make([]ledger.Attempt, n)
	x := uint64(88172645463325252)
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		when := from.Add(time.Duration(i) * 3 * time.Millisecond).Truncate(time.Millisecond)
		// As in "0:1500415314455276%31bd1c9631bd1c96": microseconds, then eight digits
		// that vary and eight of the app
		// (https://firebase.google.com/docs/cloud-messaging/send/v1-api).
		name := fmt.Sprintf("projects/my-project/messages/0:%d%%%08xf9fd7ecd", when.UnixMicro()+int64(x%1000), uint32(x))
		out[i] = ledger.Attempt{
			Cell: i, Attempt: 1, Code: push.CodeSent, At: when, Latency: time.Duration(40+x%30) * time.Millisecond, Detail: name,
		}
	}
	return out
}

func TestLineFitsOneUnit(t *testing.T) {
	t.Parallel()
	s := New(table.NewClient(nil, nil, table.Config{}, nil), "")
	l := ledger.Line{
		Ref: push.ChunkRef{Notification: push.NewID(push.PrefixBatch), Seq: 3 * push.ChunksPerPage}, Tenant: strings.Repeat("t", 40),
		Sources: 500, Last: true, Epoch: 12, Owner: "dispatcher-7d9f8b6c5-x2x4v/4711", State: ledger.StateClaimed, Attempt: 9, Turn: 11,
		ReservedFrom: 250, Reserved: 499, Vanished: 12, Alone: 2, Trial: true, Cells: make([]ledger.Cell, push.MaxChunkRecipients),
		UpdatedAt: at(),
	}
	i := s.encodeLine(&l, s.db.NewNonce())
	if size := table.ItemSize(i); size > 1024-12*10 { // ten epochs with attempts take 12 bytes each
		t.Errorf("a line of 500 takes %d bytes", size)
	}
}

func TestLinesAndPlansComeBack(t *testing.T) {
	t.Parallel()
	s := New(table.NewClient(nil, nil, table.Config{}, nil), "")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, push.MaxChunkRecipients).Draw(t, "recipients")
		p := ledger.Plan{
			Ref: push.ChunkRef{
				Notification: push.NewID(rapid.SampledFrom([]string{"ntf", "bat"}).Draw(t, "prefix")), Seq: rapid.IntRange(0, 1<<30).Draw(t, "seq"),
			},
			Tenant: rapid.String().Draw(t, "tenant"), FirstLine: rapid.Int64Range(0, 1<<40).Draw(t, "line"),
			Sources: rapid.IntRange(0, 1000).Draw(t, "sources"), Last: rapid.Bool().Draw(t, "last"),
			Hashes: rapid.SliceOfN(rapid.Uint64(), n, n).Draw(t, "hashes"), Cells: make([]ledger.Cell, n),
		}
		if rapid.Bool().Draw(t, "some settled") {
			for i := range p.Cells {
				p.Cells[i] = ledger.Cell(rapid.Byte().Draw(t, "cell"))
			}
		}
		i, err := s.encodePlan(&p, s.db.NewNonce())
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodePlan(i)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "plan", back, p)
		l := ledger.NewLine(p, at())
		line, err := decodeLine(s.encodeLine(&l, s.db.NewNonce()))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "line", line, l)
	})
}

func TestDamagedItems(t *testing.T) {
	t.Parallel()
	plan := table.Item{table.AttrPK: table.Text("ntf_x#0"), table.AttrSK: table.Text("P#00000001")}
	with := func(i table.Item, name string, b []byte) table.Item {
		out := table.Item{name: table.Blob(b)}
		for k, v := range i {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	for name, err := range map[string]error{
		"no key":           second(decodeLine(table.Item{})),
		"a bad sequence":   second(decodeLine(table.Item{table.AttrPK: table.Text("ntf_x#0"), table.AttrSK: table.Text("L#xyz")})),
		"odd hashes":       second(decodePlan(with(plan, attrHashes, []byte{1, 2, 3}))),
		"bad cells":        second(decodePlan(with(plan, attrCells, []byte{0xff, 0xff}))),
		"no evidence":      second(decodeAttempts(nil, nil)),
		"cut evidence":     second(decodeAttempts(nil, append([]byte{evidenceFormat}, deflated(t, []byte{1, 1})...))),
		"a forward prefix": second(decodeAttempts(nil, append([]byte{evidenceFormat}, deflated(t, []byte{1, 1, 1, 0, 0, 9, 0})...))),
		"no attempts' key": third(parseAttemptsKey("A#00000001#zz", "A#00000001#")),
	} {
		if !errors.Is(err, table.ErrDamaged) {
			t.Errorf("%s: error = %v, want that it is damaged", name, err)
		}
	}
	if _, err := decodeAttempts(nil, []byte{99}); !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("evidence of a newer format: error = %v", err)
	}
}

func deflated(tb testing.TB, b []byte) []byte {
	tb.Helper()
	out, err := table.Deflate(nil, b)
	must(tb, err)
	return out
}

func FuzzDecodeAttempts(f *testing.F) {
	for _, n := range []int{0, 1, 50} {
		b, err := encodeAttempts(answers(n, at()))
		must(f, err)
		f.Add(b)
	}
	f.Add([]byte{evidenceFormat, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeAttempts(nil, b)
		if err != nil {
			return
		}
		again, err := encodeAttempts(got)
		must(t, err)
		back, err := decodeAttempts(nil, again)
		if err != nil || !slices.Equal(back, got) {
			t.Errorf("%v became %v, %v", got, back, err)
		}
	})
}

// at is the time at which the tests' world begins.
func at() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC) }

func same(tb rapid.TB, what string, got, want any) {
	tb.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(tb rapid.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }
