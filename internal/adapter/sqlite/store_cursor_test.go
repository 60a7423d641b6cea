package sqlite

import (
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	fields, err := cursorFields("documents", cursor("documents", "a", "größer/🐝"), 2)
	if err != nil || !slices.Equal(fields, []string{"a", "größer/🐝"}) {
		t.Errorf("fields are %q, %v", fields, err)
	}
	if fields, err := cursorFields("documents", "", 2); err != nil || fields != nil {
		t.Errorf("the beginning is %q, %v", fields, err)
	}
	raw := base64.RawURLEncoding.EncodeToString
	for name, bad := range map[string]string{
		"another listing": cursor("devices", "a", "b"), "too few": cursor("documents", "a"), "too many": cursor("documents", "a", "b", "c"),
		"an empty field": cursor("documents", "", "b"), "padded": cursor("documents", "a", "b") + "=", "not base64": "%%%",
		"stray bits": "AB", "text": raw([]byte("documents")),
	} {
		if fields, err := cursorFields("documents", bad, 2); !errors.Is(err, push.ErrCursor) {
			t.Errorf("%s: %q, %v", name, fields, err)
		}
	}
	s := openStore(t)
	_, _, err = s.Notifications(t.Context(), "tenant", cursor("notifications", "noon", "ntf_1"), 10)
	if !errors.Is(err, push.ErrCursor) {
		t.Errorf("a cursor without a time: %v", err)
	}
}

func TestListLimit(t *testing.T) {
	t.Parallel()
	for in, want := range map[int]int{-1: 1, 0: 1, 1: 1, 1000: 1000, 1001: 1000} {
		if got := listLimit(in); got != want {
			t.Errorf("limit %d becomes %d, want %d", in, got, want)
		}
	}
}
