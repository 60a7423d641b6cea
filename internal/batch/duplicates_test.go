package batch_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// crowd draws an upload in which few recipients come again and again. What only
// looks alike, a user and a token of one name, is not the same.
func crowd(t *rapid.T, most int) []string {
	id := "dev_01890a5d-ac96-774b-bcce-b302099a805"
	line := rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 5).Draw(t, "who")
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return fmt.Sprintf(`{"fid":"x%d"}`, n)
		case 1:
			return fmt.Sprintf(`{"user_id":"x%d"}`, n)
		case 2:
			return fmt.Sprintf(`{"device_id":"%s%d"}`, id, n)
		case 3:
			return fmt.Sprintf(`{"token":"x%d","data":{"k":"%d"}}`, n, rapid.IntRange(0, 9).Draw(t, "data"))
		case 4:
			return rapid.SampledFrom([]string{"", "{}", `{"token":"ünique"}`}).Draw(t, "none")
		default:
			return fmt.Sprintf(`{"token":"x%d"}`, n)
		}
	})
	return rapid.SliceOfN(line, 0, most).Draw(t, "lines")
}

// Whatever parts an upload comes in, sent again, broken off, appended or side by
// side, in one process or in several, with stores that fail: exactly the rows
// are marked that a single pass over the lines would mark (stored checks that).
func TestDuplicatesAreThoseOfOnePass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := crowd(t, 60)
		w := open()
		staying := quiet(w, 4) // one process that stays
		for range rapid.IntRange(1, 5).Draw(t, "rounds") {
			w.chance = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0))
			var uploads []func()
			for range rapid.IntRange(1, 3).Draw(t, "side by side") {
				from := rapid.IntRange(1, min(len(all), int(w.progress().Watermark))+1).Draw(t, "offset")
				if rapid.Bool().Draw(t, "append") {
					from = 0
				}
				part := all[max(from, 1)-1 : rapid.IntRange(max(from, 1)-1, len(all)).Draw(t, "end")]
				b := staying
				if rapid.Bool().Draw(t, "elsewhere") {
					b = quiet(w, rapid.IntRange(1, 9).Draw(t, "size"))
				}
				body := stream(t, part)
				o := batch.Options{Offset: int64(from), AllOrNothing: rapid.IntRange(0, 3).Draw(t, "atomic") == 0}
				uploads = append(uploads, func() { _, _ = b.Upload(t.Context(), tenant, w.id, body, o) })
			}
			together(uploads)
			w.stored(t)
		}
	})
}

func cramped(w *world, bytes int) *batch.Batches {
	cfg := w.config()
	cfg.PageRecipients, cfg.IndexBytes = 100, bytes
	return batch.New(cfg)
}

// Another process reads what it does not know once, and afterwards only what
// others have added.
func TestDuplicatesAcrossProcesses(t *testing.T) {
	t.Parallel()
	w := open()
	a, b := cramped(w, 0), cramped(w, 0)
	add := func(b *batch.Batches, body io.Reader, duplicates, reads int64) {
		t.Helper()
		w.reads.Store(0)
		res, err := b.Upload(t.Context(), tenant, w.id, body, batch.Options{})
		if err != nil || res.Duplicates != duplicates || w.reads.Load() != reads {
			t.Errorf("%d duplicates, %d pages read, %v; want %d and %d", res.Duplicates, w.reads.Load(), err, duplicates, reads)
		}
	}
	add(a, numbered(1, 1000), 0, 0)
	add(b, numbered(991, 1090), 10, 10)
	add(b, numbered(1, 100), 100, 0)
	add(a, numbered(1001, 1100), 90, 2)
	w.stored(t)
}

// Where memory ends, recipients are taken as before, the batch says from which
// line on repetitions may go unnoticed, and what was remembered is still known.
func TestDuplicatesBeyondTheBudget(t *testing.T) {
	t.Parallel()
	w := open()
	b := cramped(w, 32<<10)
	res, err := b.Upload(t.Context(), tenant, w.id, io.MultiReader(numbered(1, 5000), numbered(1, 5000)), batch.Options{})
	from := w.progress().UncheckedFrom
	if err != nil || res.Accepted != 10_000 || from < 1000 || from > 2800 || res.Duplicates < from-1 || res.Duplicates > 2800 {
		t.Errorf("%+v, unchecked from %d, %v", res, from, err)
	}
	if w.progress().Duplicates != res.Duplicates {
		t.Errorf("progress says %d duplicates, the result %d", w.progress().Duplicates, res.Duplicates)
	}
}

// An index that nobody uses makes room for one that is in use.
func TestDuplicatesMakeRoom(t *testing.T) {
	t.Parallel()
	w := open()
	b := cramped(w, 48<<10)
	for range 5 {
		w.begin(push.NewID(push.PrefixBatch))
		_, err := b.Upload(t.Context(), tenant, w.id, io.MultiReader(numbered(1, 1500), numbered(1, 1500)), batch.Options{})
		if err != nil || w.progress().UncheckedFrom != 0 {
			t.Errorf("unchecked from %d, %v", w.progress().UncheckedFrom, err)
		}
		w.stored(t)
	}
}
