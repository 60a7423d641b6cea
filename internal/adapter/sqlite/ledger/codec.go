package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/packed"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

func cellBytes(cells []ledger.Cell) []byte {
	out := make([]byte, len(cells))
	for i, c := range cells {
		out[i] = byte(c)
	}
	return out
}

func appendCells(dst []ledger.Cell, b []byte) []ledger.Cell {
	for _, c := range b {
		dst = append(dst, ledger.Cell(c))
	}
	return dst
}

// appendTally encodes how many cells of a line stand where: per value of a cell
// that occurs, the value in one byte and the number in two. Counts reads those
// few bytes of a line instead of its hundreds of cells.
func appendTally(dst []byte, cells []ledger.Cell) []byte {
	var n [256]uint16 // a chunk has at most push.MaxChunkRecipients
	for _, c := range cells {
		n[c]++
	}
	for c, k := range n {
		if k > 0 {
			dst = binary.BigEndian.AppendUint16(append(dst, byte(c)), k)
		}
	}
	return dst
}

// addTallies adds any number of encoded tallies to the counts.
func addTallies(c *ledger.Counts, b []byte) error {
	const size = 3
	if len(b)%size != 0 {
		return fmt.Errorf("tallies have %d bytes, not a multiple of %d", len(b), size)
	}
	for ; len(b) > 0; b = b[size:] {
		c.AddCells(ledger.Cell(b[0]), int64(binary.BigEndian.Uint16(b[1:])))
	}
	return nil
}

// hashSize is the stored size of a push.Address.Hash.
const hashSize = 8

func hashBytes(hashes []uint64) []byte {
	out := make([]byte, 0, hashSize*len(hashes))
	for _, h := range hashes {
		out = binary.BigEndian.AppendUint64(out, h)
	}
	return out
}

func decodeHashes(b []byte) ([]uint64, error) {
	if len(b)%hashSize != 0 {
		return nil, fmt.Errorf("hashes have %d bytes, not a multiple of %d", len(b), hashSize)
	}
	out := make([]uint64, 0, len(b)/hashSize)
	for ; len(b) > 0; b = b[hashSize:] {
		out = append(out, binary.BigEndian.Uint64(b))
	}
	return out, nil
}

// evidenceFormat is the first byte of a checkpoint's attempts.
const evidenceFormat = 1

var errEvidence = errors.New("stored attempts are damaged")

// encodeAttempts encodes the attempts of one checkpoint: the format's number,
// then what [packed.AppendAttempts] makes of them.
func encodeAttempts(attempts []ledger.Attempt) []byte {
	const usual = 50 // bytes of an attempt
	dst := append(make([]byte, 0, 1+usual*len(attempts)), evidenceFormat)
	return packed.AppendAttempts(dst, attempts)
}

// decodeAttempts appends the attempts of one checkpoint to dst.
func decodeAttempts(dst []ledger.Attempt, b []byte) ([]ledger.Attempt, error) {
	if len(b) == 0 {
		return dst, errEvidence
	}
	if b[0] != evidenceFormat {
		return dst, fmt.Errorf("attempts in format %d: %w", b[0], push.ErrNewerSchema)
	}
	dst, ok := packed.Attempts(dst, b[1:])
	if !ok {
		return dst, errEvidence
	}
	return dst, nil
}
