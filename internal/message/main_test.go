package message_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/message"
)

// tree reads JSON as a door does.
func tree(tb testing.TB, text string) map[string]any {
	tb.Helper()
	m, err := message.Decode([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return m
}
