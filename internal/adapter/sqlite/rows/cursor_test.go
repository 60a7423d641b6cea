package rows

import (
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	fields, err := CursorFields("documents", Cursor("documents", "a", "größer/🐝"), 2)
	if err != nil || !slices.Equal(fields, []string{"a", "größer/🐝"}) {
		t.Errorf("fields are %q, %v", fields, err)
	}
	if fields, err := CursorFields("documents", "", 2); err != nil || fields != nil {
		t.Errorf("the beginning is %q, %v", fields, err)
	}
	raw := base64.RawURLEncoding.EncodeToString
	for name, bad := range map[string]string{
		"another listing": Cursor("devices", "a", "b"), "too few": Cursor("documents", "a"), "too many": Cursor("documents", "a", "b", "c"),
		"an empty field": Cursor("documents", "", "b"), "padded": Cursor("documents", "a", "b") + "=", "not base64": "%%%",
		"stray bits": "AB", "text": raw([]byte("documents")),
	} {
		if fields, err := CursorFields("documents", bad, 2); !errors.Is(err, push.ErrCursor) {
			t.Errorf("%s: %q, %v", name, fields, err)
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for in, want := range map[int]int{-1: 1, 0: 1, 1: 1, 1000: 1000, 1001: 1000} {
		if got := Limit(in); got != want {
			t.Errorf("limit %d becomes %d, want %d", in, got, want)
		}
	}
}
