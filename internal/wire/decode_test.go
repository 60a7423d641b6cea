package wire_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// with returns a golden-like object with some members replaced, or removed
// where the value is nil.
func with(t *testing.T, base string, over map[string]any) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(base), &doc); err != nil {
		t.Fatal(err)
	}
	maps.Copy(doc, over)
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type over = map[string]any

func decodeError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want one that is %v", err, want)
	}
}

func TestDecodeChunkRefuses(t *testing.T) {
	t.Parallel()
	const base = `{"v":1,"type":"chunk","notification":"` + ntfID +
		`","seq":0,"tenant":"t","attempt":1,"kind":"token","values":["a","b"],"first":1}`
	for _, c := range []struct {
		name string
		over over
		want error
	}{
		{"nothing wrong", over{}, nil},
		{"a newer version", over{"v": 2}, push.ErrNewerSchema},
		{"a newer version with other fields", over{"v": 7, "values": "packed", "index": over{"bits": "ff"}}, push.ErrNewerSchema},
		{"no version", over{"v": nil}, wire.ErrForeign},
		{"version zero", over{"v": 0}, wire.ErrForeign},
		{"another type", over{"type": "task"}, wire.ErrForeign},
		{"another type of a newer version", over{"type": "scroll", "v": 2}, wire.ErrForeign},
		{"no notification", over{"notification": nil}, wire.ErrForeign},
		{"a device's id", over{"notification": "dev_01890a5d-ac96-774b-bcce-b302099a8057"}, wire.ErrForeign},
		{"a negative sequence", over{"seq": -1}, wire.ErrForeign},
		{"no attempt", over{"attempt": nil}, wire.ErrForeign},
		{"a negative turn", over{"turn": -1}, wire.ErrForeign},
		{"no recipients", over{"values": []string{}}, wire.ErrForeign},
		{"no recipients, no attempts", over{"values": []string{}, "attempts": []int{}}, wire.ErrForeign},
		{"too many recipients", over{"values": make([]string, push.MaxChunkRecipients+1)}, wire.ErrForeign},
		{"values of another type", over{"values": []int{1, 2}}, wire.ErrForeign},
		{"an unknown kind", over{"kind": "pager"}, wire.ErrForeign},
		{"no kind", over{"kind": nil}, wire.ErrForeign},
		{"too few lines", over{"lines": []int{1}}, wire.ErrForeign},
		{"too few cells", over{"index": []int{1}}, wire.ErrForeign},
		{"cells that do not ascend", over{"index": []int{3, 3}}, wire.ErrForeign},
		{"a negative cell", over{"index": []int{-1, 3}}, wire.ErrForeign},
		{"a cell beyond the chunk", over{"index": []int{1, push.MaxChunkRecipients}}, wire.ErrForeign},
		{"the last cell", over{"index": []int{1, push.MaxChunkRecipients - 1}}, nil},
		{"a row beyond the values", over{"rows": over{"2": over{"user_id": "u"}}}, wire.ErrForeign},
		{"a negative row", over{"rows": over{"-1": over{"user_id": "u"}}}, wire.ErrForeign},
		{"a row of an unknown kind", over{"rows": over{"1": over{"kind": "pager"}}}, wire.ErrForeign},
		{"too few attempts", over{"attempts": []int{1}}, wire.ErrForeign},
		{"no attempts", over{"attempts": []int{}}, wire.ErrForeign},
		{"an attempt of zero", over{"attempts": []int{1, 0}}, wire.ErrForeign},
		{"flags beyond the values", over{"renew": "AAA="}, wire.ErrForeign},
		{"platforms beyond the values", over{"platforms": "AAA="}, wire.ErrForeign},
		{"flags that are no base64", over{"renew": "!"}, wire.ErrForeign},
		{"a code of a newer taxonomy", over{"last_code": "fcm.tired"}, nil},
		{"a field of a newer minor version", over{"mood": "good"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := wire.DecodeChunk(with(t, base, c.over))
			decodeError(t, err, c.want)
		})
	}
}

func TestDecodeTaskRefuses(t *testing.T) {
	t.Parallel()
	const base = `{"v":1,"type":"task","op":"plan","notification":"` + batID + `","page":-1}`
	for _, c := range []struct {
		name string
		over over
		want error
	}{
		{"nothing wrong", over{}, nil},
		{"a newer version", over{"v": 2, "op": 7}, push.ErrNewerSchema},
		{"an unknown op", over{"op": "dance"}, wire.ErrForeign},
		{"a page before all", over{"page": -2}, wire.ErrForeign},
		{"a negative turn", over{"turn": -1}, wire.ErrForeign},
		{"a foreign id", over{"notification": "x"}, wire.ErrForeign},
		{"a release", over{"op": "release", "page": 0, "due": 1, "behind": 4097}, nil},
		{"a release of all pages", over{"op": "release"}, wire.ErrForeign},
		{"a negative chunk", over{"chunk": -1}, wire.ErrForeign},
		{"a negative generation", over{"generation": -1}, wire.ErrForeign},
		{"due before all time", over{"due": -1}, wire.ErrForeign},
		{"behind nothing", over{"behind": -1}, wire.ErrForeign},
		{"a recall", over{"op": "recall", "page": 0, "chunks": []int{0, 4095}, "epochs": []int{0, 9}}, nil},
		{"a recall of a page and no chunk", over{"op": "recall", "page": 2}, nil},
		{"a recall of all pages", over{"op": "recall"}, wire.ErrForeign},
		{"chunks without epochs", over{"op": "recall", "page": 0, "chunks": []int{1}}, wire.ErrForeign},
		{"chunks that don't ascend", over{"op": "recall", "page": 0, "chunks": []int{1, 1}, "epochs": []int{0, 0}}, wire.ErrForeign},
		{"a chunk of the next page", over{"op": "recall", "page": 0, "chunks": []int{4096}, "epochs": []int{0}}, wire.ErrForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.DecodeTask(with(t, base, c.over))
			decodeError(t, err, c.want)
		})
	}
}

func TestDecodeUndeliveredRefuses(t *testing.T) {
	t.Parallel()
	good, err := wire.EncodeUndelivered(undelivered(), trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		over over
	}{
		{"too few codes", over{"codes": []string{"sent"}}},
		{"too few details", over{"details": []string{}}},
		{"an unknown code", over{"codes": []string{"sent", "sent", "fcm.tired"}}},
		{"no chunk", over{"chunk": nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := wire.DecodeUndelivered(with(t, string(good), c.over))
			decodeError(t, err, wire.ErrForeign)
		})
	}
}

func TestDecodeDeadLetterRefuses(t *testing.T) {
	t.Parallel()
	good, err := wire.EncodeDeadLetter(letter())
	if err != nil {
		t.Fatal(err)
	}
	_, err = wire.DecodeDeadLetter(with(t, string(good), over{"code": "fcm.tired"}))
	decodeError(t, err, push.ErrNewerSchema)
	_, err = wire.DecodeDeadLetter(with(t, string(good), over{"body": "not base64!"}))
	decodeError(t, err, wire.ErrForeign)
	chunk := bare()
	bareBody, err := wire.EncodeChunk(&chunk, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = wire.DecodeDeadLetter(bareBody) // as the queue's own redrive leaves it
	decodeError(t, err, wire.ErrForeign)
}

func TestForeignBytes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", "7", `"x"`, "{", "\x00\xff", `{"v":1}`, strings.Repeat("[", 20_000)} {
		_, _, err := wire.DecodeChunk([]byte(body))
		decodeError(t, err, wire.ErrForeign)
		_, err = wire.DecodeTask([]byte(body))
		decodeError(t, err, wire.ErrForeign)
		_, err = wire.DecodeRecipients([]byte(body))
		decodeError(t, err, wire.ErrForeign)
		_, err = wire.DecodeDeadLetter([]byte(body))
		decodeError(t, err, wire.ErrForeign)
	}
}

// TestErrorsAreShort: what is quoted of foreign bytes is clipped, so that a
// dead letter's detail can't hold a whole message.
func TestErrorsAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	for _, body := range []string{
		`{"v":1,"type":"` + long + `"}`,
		`{"v":1,"type":"task","op":"` + long + `"}`,
		`{"v":1,"type":"task","op":"plan","notification":"` + long + `"}`,
	} {
		if _, err := wire.DecodeTask([]byte(body)); err == nil || len(err.Error()) > 400 {
			t.Errorf("error of %d bytes", len(err.Error()))
		}
	}
}
