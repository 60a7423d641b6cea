package audit

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Bounds of a block, so that it is one item on every backend.
const (
	MaxEntries = 256
	// MaxBytes bounds the canonical bytes of a block with more than one entry.
	MaxBytes = 128 << 10
	// maxPlain bounds what a stored block may unpack to.
	maxPlain = 1 << 20
)

// Line is one entry as it is stored and exported.
type Line struct {
	Entry json.RawMessage `json:"entry"` // its canonical bytes
	Hash  Hash            `json:"hash"`
}

// Block is what one write of the log stores: consecutive entries of one tenant and the head behind them, signed.
type Block struct {
	Tenant string
	First  int64 // sequence number of the first entry
	Lines  []Line
	Head   Head
}

// Log keeps blocks. Safe for concurrent use by several processes; every successful write is durable. It offers no way to
// change a block, and [Checkpoints] alone remove any.
type Log interface {
	// AppendAudit stores a block, unless there is another one with the same tenant and First: push.ErrConflict. Storing
	// the same block again changes nothing and is no error, so that a call whose answer was lost may be repeated. That
	// First follows from the last block is the caller's to see to.
	AppendAudit(ctx context.Context, b Block) error
	// AuditBlocks returns blocks with a First of from or more, in their order; limit is 1..1000.
	AuditBlocks(ctx context.Context, tenant string, from int64, limit int) ([]Block, error)
	// AuditBlocksBefore returns blocks with a First below before, the last one first.
	AuditBlocksBefore(ctx context.Context, tenant string, before int64, limit int) ([]Block, error)
}

// Heads keeps signed heads apart from the blocks that they sign.
type Heads interface {
	// KeepAuditHead stores a head, unless there is one of the same tenant and Seq.
	KeepAuditHead(ctx context.Context, h Head) error
	// AuditHeads returns the heads of a tenant with a Seq above after, in their order; limit is 1..1000.
	AuditHeads(ctx context.Context, tenant string, after int64, limit int) ([]Head, error)
	// AuditTenants returns tenants that have a head, behind the given one in the order of their names.
	AuditTenants(ctx context.Context, after string, limit int) ([]string, error)
}

// Store is all of it.
type Store interface {
	Log
	Heads
	Checkpoints
}

//nolint:gochecknoglobals // memory to be used again; a writer takes some 100 KiB
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for a level that does not exist
	return w
}}

// Pack returns a block's lines as a driver stores them: one line of JSON each, deflated.
func Pack(lines []Line) ([]byte, error) {
	var out bytes.Buffer
	w, _ := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	for i := range lines {
		_, _ = io.WriteString(w, lines[i].Hash.String()) // writing to memory cannot fail
		_, _ = w.Write([]byte{' '})
		_, _ = w.Write(lines[i].Entry)
		_, _ = w.Write([]byte{'\n'})
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack an audit block: %w", err)
	}
	return out.Bytes(), nil
}

// Unpack reads what [Pack] wrote. What cannot be read, since somebody changed it, is left out with all behind it: the
// verification then misses it.
func Unpack(packed []byte) []Line {
	plain, _ := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxPlain))
	var lines []Line
	for text := range bytes.Lines(plain) {
		hash, entry, ok := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(" "))
		var l Line
		if !ok || l.Hash.UnmarshalText(hash) != nil {
			break
		}
		l.Entry = entry
		lines = append(lines, l)
	}
	return lines
}
