package ledger

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/adapter/packed"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// evidenceFormat is the first byte of a checkpoint's attempts.
const evidenceFormat = 1

// encodeAttempts encodes the attempts of one checkpoint: the format's number,
// then, deflated, what [packed.AppendAttempts] makes of them. 50 attempts fit one
// or two write units.
func encodeAttempts(attempts []ledger.Attempt) ([]byte, error) {
	return table.Deflate([]byte{evidenceFormat}, packed.AppendAttempts(nil, attempts))
}

// decodeAttempts appends the attempts of one checkpoint to dst.
func decodeAttempts(dst []ledger.Attempt, b []byte) ([]ledger.Attempt, error) {
	if len(b) == 0 {
		return dst, table.ErrDamaged
	}
	if b[0] != evidenceFormat {
		return dst, fmt.Errorf("attempts in format %d: %w", b[0], push.ErrNewerSchema)
	}
	plain, err := table.Inflate(b[1:], table.MaxInflated)
	if err != nil {
		return dst, err
	}
	dst, ok := packed.Attempts(dst, plain)
	if !ok {
		return dst, table.ErrDamaged
	}
	return dst, nil
}
