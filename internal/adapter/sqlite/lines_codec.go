package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

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
// then for each attempt
//
//	cell, attempt, code   unsigned varints
//	time                  milliseconds since 1970, signed varint, less the one before
//	latency               milliseconds, unsigned varint
//	detail                how many bytes it shares with the one before, unsigned varint; the rest as text
//
// Message names share their first half, so an attempt takes 30 to 50 bytes.
func encodeAttempts(attempts []ledger.Attempt) []byte {
	const usual = 50 // bytes of an attempt
	dst := append(make([]byte, 0, 1+usual*len(attempts)), evidenceFormat)
	var at int64
	detail := ""
	for i := range attempts {
		a := &attempts[i]
		dst = binary.AppendUvarint(dst, unsigned(a.Cell))
		dst = binary.AppendUvarint(dst, unsigned(a.Attempt))
		dst = binary.AppendUvarint(dst, uint64(a.Code))
		ms := a.At.UnixMilli()
		dst = binary.AppendVarint(dst, ms-at)
		dst = binary.AppendUvarint(dst, unsigned(a.Latency.Milliseconds()))
		shared := sharedPrefix(detail, a.Detail)
		dst = binary.AppendUvarint(dst, unsigned(shared))
		dst = appendText(dst, a.Detail[shared:])
		at, detail = ms, a.Detail
	}
	return dst
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// decodeAttempts appends the attempts of one checkpoint to dst.
func decodeAttempts(dst []ledger.Attempt, b []byte) ([]ledger.Attempt, error) {
	if len(b) == 0 {
		return dst, errEvidence
	}
	if b[0] != evidenceFormat {
		return dst, fmt.Errorf("attempts in format %d: %w", b[0], push.ErrNewerSchema)
	}
	r := varints{b: b[1:]}
	var at int64
	detail := ""
	for len(r.b) > 0 {
		a := ledger.Attempt{Cell: r.count(), Attempt: r.count(), Code: r.code()}
		at += r.signed()
		a.At = time.UnixMilli(at).UTC()
		a.Latency = time.Duration(r.count()) * time.Millisecond
		shared := r.count()
		more := r.text()
		if r.bad || shared > len(detail) {
			return dst, errEvidence
		}
		detail = detail[:shared] + more
		a.Detail = detail
		dst = append(dst, a)
	}
	return dst, nil
}
