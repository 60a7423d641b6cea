package wire

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// checkReplay checks the fields that a replay adds to a chunk.
func (in *chunkJSON) checkReplay() error {
	if in.Replay != "" {
		if _, err := push.ParseID(string(in.Replay), push.PrefixReplay); err != nil {
			return fmt.Errorf("%w: replay: %w", ErrForeign, err)
		}
	}
	if in.Series < 0 {
		return fmt.Errorf("%w: series %d", ErrForeign, in.Series)
	}
	if in.Message != nil && in.Message[0] != '{' {
		return fmt.Errorf("%w: message is no object", ErrForeign)
	}
	return nil
}
