package letters

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/internal/push"
)

// parkedWorld returns a world with letters of a chunk and of a message.
func parkedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, t.Context)
	w.Die(w.Chunk(push.CodeAttemptsExhausted, push.CodeSent, push.CodeAttemptsExhausted))
	w.Put(push.QueueEvents, []byte("\x00\xff not JSON"))
	w.Drain()
	return w
}

func exported(t *testing.T, w *world, f push.LetterFilter) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := w.room.Export(t.Context(), f, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(t *testing.T, b []byte) string {
	t.Helper()
	r, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestExportImport(t *testing.T) {
	t.Parallel()
	from, to := parkedWorld(t), newWorld(t, t.Context)
	archive := exported(t, from, push.LetterFilter{})
	for i, wantStored := range []int64{3, 0} { // twice: the second changes nothing
		done, err := to.room.Import(t.Context(), bytes.NewReader(archive))
		if err != nil || done.Letters != 3 || done.Stored != wantStored || len(done.Invalid) != 0 {
			t.Fatalf("import %d: %+v (%v)", i, done, err)
		}
	}
	if diff := cmp.Diff(from.All(), to.All()); diff != "" {
		t.Errorf("imported letters (-exported +imported):\n%s", diff)
	}
	for i, l := range to.All() { // cmp shows addresses redacted, and compares them all the same
		if l.Recipient.Address != from.All()[i].Recipient.Address {
			t.Errorf("%s has another address", l.ID)
		}
	}
	if some := unzip(t, exported(t, from, push.LetterFilter{Queue: push.QueueEvents})); strings.Count(some, "\n") != 3 {
		t.Errorf("an export of one letter has %d lines, want header, letter and footer", strings.Count(some, "\n"))
	}
}

// What a replay had in hand is parked again, tombstones stay tombstones.
func TestImportStates(t *testing.T) {
	t.Parallel()
	from, to := parkedWorld(t), newWorld(t, t.Context)
	ls := from.All()
	moves := []push.LetterMove{
		{ID: ls[0].ID, Version: 1, State: push.LetterReplaying, Replay: "rpl_1"},
		{ID: ls[1].ID, Version: 1, State: push.LetterDiscarded, Reason: "why", By: "me"},
	}
	if _, err := from.Letters.MoveLetters(t.Context(), moves); err != nil {
		t.Fatal(err)
	}
	if _, err := to.room.Import(t.Context(), bytes.NewReader(exported(t, from, push.LetterFilter{}))); err != nil {
		t.Fatal(err)
	}
	got := map[push.LetterState]int{}
	for _, l := range to.All() {
		got[l.State]++
	}
	if got[push.LetterParked] != 2 || got[push.LetterDiscarded] != 1 {
		t.Errorf("states after an import: %v", got)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	w := parkedWorld(t)
	whole := unzip(t, exported(t, w, push.LetterFilter{}))
	lines := strings.SplitAfter(whole, "\n")
	newer := strings.Replace(whole, `"v":1`, `"v":2`, 1)
	cases := []struct {
		name   string
		input  string
		want   string // in the error, "" for none
		stored int64
		bad    int
	}{
		{"plain NDJSON", whole, "", 3, 0},
		{"nothing", "", "not an archive", 0, 0},
		{"other JSON", `{"type":"chunk"}` + "\n", "not an archive", 0, 0},
		{"a newer archive", newer, push.ErrNewerSchema.Error(), 0, 0},
		{"cut between lines", lines[0] + lines[1], "cut short", 1, 0},
		{"cut within a line", whole[:len(whole)/2], "cut short", 0, 1},
		{"a letter is missing", lines[0] + lines[1] + lines[4], "was written with 3", 1, 0},
		{"a broken line", lines[0] + "{\n" + lines[2] + lines[3] + lines[4], "", 2, 1},
		{"an id of another kind", strings.Replace(whole, `"id":"dlt_`, `"id":"ntf_`, 1), "", 2, 1},
		{"no such state", strings.Replace(whole, `"state":"parked"`, `"state":"lost"`, 1), "", 2, 1},
		{"no such code", strings.Replace(whole, `"code":"attempts_exhausted"`, `"code":"nope"`, 1), "", 2, 1},
		{"a byte order mark", "\xef\xbb\xbf" + whole, "", 3, 0},
		{"a line that is not UTF-8", strings.Replace(whole, `"detail":"`, "\"detail\":\"\xe7", 1), "", 2, 1},
		{"half an emoji", strings.Replace(whole, `"detail":"`, `"detail":"\ud83d`, 1), "", 2, 1},
		{"an id twice", strings.Replace(whole, `"id":"dlt_`, `"id":"dlt_01890a5d-ac96-774b-bcce-b302099a8057","id":"dlt_`, 1), "", 2, 1},
		{"a field of a newer version", strings.Replace(whole, `"id":"dlt_`, `"ID":"x","newer":{"a":1},"id":"dlt_`, 1), "", 3, 0},
		{"a wrong type", strings.Replace(whole, `"attempts":`, `"attempts":"1","n":`, 1), "", 2, 1},
		{"a cell out of range", strings.Replace(whole, `"cell":2`, `"cell":500`, 1), "", 2, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			to := newWorld(t, t.Context)
			done, err := to.room.Import(t.Context(), strings.NewReader(c.input))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if c.name == "cut within a line" {
				return // where it is cut decides
			}
			if done.Stored != c.stored || len(done.Invalid) != c.bad || int64(len(to.All())) != c.stored {
				t.Errorf("%d letters stored, %d lines refused; want %d and %d", done.Stored, len(done.Invalid), c.stored, c.bad)
			}
		})
	}
}

func TestImportCutStream(t *testing.T) {
	t.Parallel()
	archive := exported(t, parkedWorld(t), push.LetterFilter{})
	for n := range archive {
		if _, err := newWorld(t, t.Context).room.Import(t.Context(), bytes.NewReader(archive[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a whole archive", n, len(archive))
		}
	}
}

// FuzzImport reads archives from outside: no input may crash it or store what is
// no letter.
func FuzzImport(f *testing.F) {
	l := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterMessage, Queue: push.QueueEvents, Code: push.CodePoison, Cell: -1,
		Body:   []byte("x"),
		DeadAt: at(0), StoredAt: at(1), State: push.LetterParked, Version: 1,
	}
	line, err := json.Marshal(l)
	if err != nil {
		f.Fatal(err)
	}
	head := `{"type":"dead_letters","v":1}` + "\n"
	f.Add([]byte(head + string(line) + "\n" + `{"type":"end","letters":1}` + "\n"))
	f.Add([]byte(head + "{}\n{"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t, t.Context)
		done, err := w.room.Import(t.Context(), bytes.NewReader(data))
		for _, l := range w.All() {
			if bad := checkLetter(&l); bad != nil {
				t.Errorf("stored %+v: %v", l, bad)
			}
		}
		if err == nil && done.Letters < done.Stored || errors.Is(err, push.ErrNotFound) {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

// An archive undoes a discard, as often as it is needed, and once each time.
func TestImportRestoresTheDiscarded(t *testing.T) {
	t.Parallel()
	w := parkedWorld(t)
	archive := exported(t, w, push.LetterFilter{})
	parkedNow := func() (ls []push.Letter) {
		for _, l := range w.All() {
			if l.State == push.LetterParked {
				ls = append(ls, l)
			}
		}
		return ls
	}
	for round := range 2 {
		if _, err := w.room.Discard(t.Context(), DiscardRequest{All: true, Reason: "by mistake"}); err != nil {
			t.Fatal(err)
		}
		for again, stored := range []int64{3, 0} {
			got, err := w.room.Import(t.Context(), bytes.NewReader(archive))
			if err != nil || got.Letters != 3 || got.Stored != stored {
				t.Errorf("round %d, import %d: %+v (%v), want %d stored", round, again, got, err, stored)
			}
		}
		back := parkedNow()
		if len(back) != 3 || len(w.All()) != 3*(round+2) {
			t.Fatalf("round %d: %d of %d letters are parked", round, len(back), len(w.All()))
		}
		for i := range back {
			if back[i].Kind == push.LetterRecipient && back[i].Recipient.Address.IsZero() ||
				back[i].Kind == push.LetterMessage && len(back[i].Body) == 0 {
				t.Errorf("round %d: %s came back without what is sent", round, back[i].ID)
			}
		}
	}
}
