package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

type chunkJSON struct {
	envelope
	Notification push.ID `json:"notification"`
	Seq          int     `json:"seq"`
	Tenant       string  `json:"tenant"`
	Attempt      int     `json:"attempt"`
	Turn         int     `json:"turn,omitempty"`
	NotBefore    int64   `json:"not_before,omitempty"` // Unix milliseconds; with wait for readers that don't know that
	Wait         int64   `json:"wait,omitempty"`       // milliseconds
	Since        int64   `json:"since,omitempty"`      // Unix milliseconds
	LastCode     string  `json:"last_code,omitempty"`
	columns
	// Index has the ledger cell of every row, unless they are 0, 1, 2 ….
	Index []int `json:"index,omitempty"`
	// Attempts has every row's try where they differ.
	Attempts []int `json:"attempts,omitempty"`
	// Renew is a bitmap, row 0 in the lowest bit of the first byte, of the rows
	// whose devices want their last success renewed: in a first send that is all
	// of them, and row numbers would cost four bytes each.
	Renew []byte `json:"renew,omitempty"`
	// Unknown is the same of the rows whose addresses the registry did not know.
	Unknown []byte `json:"unknown,omitempty"`
	// Platforms has two bits a row, row 0 in the lowest ones of the first byte: the
	// device's platform as its place in platforms, 0 where it is not known.
	Platforms []byte `json:"platforms,omitempty"`
	// What a replay adds. They stand behind the columns, whose array is looked
	// for by its first appearance (see withoutValues).
	Replay    push.ID         `json:"replay,omitempty"`
	Series    int             `json:"series,omitempty"`
	ExpiresAt int64           `json:"expires_at,omitempty"` // Unix milliseconds
	Message   json.RawMessage `json:"message,omitempty"`
	// PlanQueuedAt is in Unix milliseconds.
	PlanQueuedAt int64 `json:"plan_queued_at,omitempty"`
}

// EncodeChunk returns the chunk as a queue message body. One of at most
// push.MaxChunkRecipients and push.MaxChunkBytes, as [RecipientBytes] counts
// them, is below 64 KiB whatever rows it has lost since it was cut.
func EncodeChunk(c *push.Chunk, traceParent string) ([]byte, error) {
	out := chunkJSON{
		envelope:     envelope{V: Version, Type: typeChunk, TraceParent: traceParent},
		Notification: c.Ref.Notification, Seq: c.Ref.Seq, Tenant: c.Tenant,
		Attempt: c.Attempt, Turn: c.Turn, NotBefore: millis(c.NotBefore), Wait: c.Wait.Milliseconds(), Since: millis(c.Since),
		columns: columnsOf(c.Recipients), Attempts: c.Attempts,
		Replay: c.Replay, Series: c.Series, ExpiresAt: millis(c.ExpiresAt), Message: json.RawMessage(c.Message),
		PlanQueuedAt: millis(c.PlanQueuedAt),
	}
	for i := range c.Recipients {
		if c.Recipients[i].Renew {
			out.Renew = setBit(out.Renew, i)
		}
		if c.Recipients[i].Unknown {
			out.Unknown = setBit(out.Unknown, i)
		}
		out.Platforms = setPlatform(out.Platforms, i, c.Recipients[i].Platform)
	}
	if c.LastCode != push.CodeOpen {
		out.LastCode = c.LastCode.String()
	}
	for i, cell := range c.Index {
		if i != cell {
			out.Index = c.Index
			break
		}
	}
	return encode(out)
}

// DecodeChunk reads a queue message body; it returns the traceparent too.
func DecodeChunk(data []byte) (push.Chunk, string, error) {
	var in chunkJSON
	if err := decodeColumns(data, typeChunk, &in, &in.envelope, &in.columns); err != nil {
		return push.Chunk{}, "", err
	}
	c := push.Chunk{
		Ref: push.ChunkRef{Notification: in.Notification, Seq: in.Seq}, Tenant: in.Tenant,
		Attempt: in.Attempt, Turn: in.Turn, NotBefore: fromMillis(in.NotBefore), Wait: time.Duration(in.Wait) * time.Millisecond,
		Since:  fromMillis(in.Since),
		Replay: in.Replay, Series: in.Series, ExpiresAt: fromMillis(in.ExpiresAt), Message: push.Message(in.Message),
		PlanQueuedAt: fromMillis(in.PlanQueuedAt),
	}
	if err := in.checkReplay(); err != nil {
		return push.Chunk{}, "", err
	}
	if in.LastCode != "" {
		// A code from a newer taxonomy is no reason to lose the chunk.
		c.LastCode, _ = push.CodeNamed(in.LastCode)
	}
	var err error
	if c.Recipients, err = in.recipients(); err != nil {
		return push.Chunk{}, "", err
	}
	if n := len(c.Recipients); n == 0 || n > push.MaxChunkRecipients {
		return push.Chunk{}, "", fmt.Errorf("%w: a chunk of %d recipients", ErrForeign, n)
	}
	if c.Index, err = in.index(len(c.Recipients)); err != nil {
		return push.Chunk{}, "", err
	}
	if _, err := push.ParseID(string(in.Notification), push.PrefixNotification, push.PrefixBatch); err != nil {
		return push.Chunk{}, "", fmt.Errorf("%w: notification: %w", ErrForeign, err)
	}
	if c.Attempts = in.Attempts; c.Attempts != nil && (len(c.Attempts) != len(c.Recipients) || slices.Min(c.Attempts) < 1) {
		return push.Chunk{}, "", fmt.Errorf("%w: attempts must be one per recipient, from 1", ErrForeign)
	}
	if most := (len(c.Recipients) + 7) / 8; len(in.Renew) > most || len(in.Unknown) > most {
		return push.Chunk{}, "", fmt.Errorf("%w: %d and %d bytes of flags for %d recipients", ErrForeign, len(in.Renew), len(in.Unknown),
			len(c.Recipients))
	}
	if len(in.Platforms) > (len(c.Recipients)+3)/4 {
		return push.Chunk{}, "", fmt.Errorf("%w: %d bytes of platforms for %d recipients", ErrForeign, len(in.Platforms), len(c.Recipients))
	}
	for i := range c.Recipients {
		c.Recipients[i].Renew, c.Recipients[i].Unknown = bit(in.Renew, i), bit(in.Unknown, i)
		c.Recipients[i].Platform = platformAt(in.Platforms, i)
	}
	if in.Seq < 0 || in.Attempt < 1 || in.Turn < 0 || in.Wait < 0 || in.Wait > maxWait {
		return push.Chunk{}, "", fmt.Errorf("%w: seq %d, attempt %d, turn %d, wait %d", ErrForeign, in.Seq, in.Attempt, in.Turn, in.Wait)
	}
	return c, in.TraceParent, nil
}

// maxWait is far more than anything waits for, and far from an overflow.
const maxWait = 366 * 24 * 3600 * 1000

func (in *chunkJSON) index(n int) ([]int, error) {
	if in.Index == nil {
		idx := make([]int, n)
		for i := range idx {
			idx[i] = i
		}
		return idx, nil
	}
	if len(in.Index) != n {
		return nil, fmt.Errorf("%w: %d cells for %d recipients", ErrForeign, len(in.Index), n)
	}
	last := -1
	for _, cell := range in.Index {
		if cell <= last || cell >= push.MaxChunkRecipients {
			return nil, fmt.Errorf("%w: cell %d after %d: must ascend and stay below %d", ErrForeign, cell, last, push.MaxChunkRecipients)
		}
		last = cell
	}
	return in.Index, nil
}

func setBit(bitmap []byte, i int) []byte {
	for len(bitmap) <= i/8 {
		bitmap = append(bitmap, 0)
	}
	bitmap[i/8] |= 1 << (i % 8)
	return bitmap
}

func bit(bitmap []byte, i int) bool { return i/8 < len(bitmap) && bitmap[i/8]>>(i%8)&1 != 0 }

// platforms are the platforms by number; their places are part of the format.
func platforms() [4]push.Platform {
	return [...]push.Platform{"", push.PlatformAndroid, push.PlatformIOS, push.PlatformWeb}
}

func setPlatform(pairs []byte, i int, p push.Platform) []byte {
	known := platforms()
	for n := 1; n < len(known); n++ {
		if known[n] != p {
			continue
		}
		for len(pairs) <= i/4 {
			pairs = append(pairs, 0)
		}
		pairs[i/4] |= byte(n) << (2 * (i % 4))
	}
	return pairs
}

func platformAt(pairs []byte, i int) push.Platform {
	if i/4 >= len(pairs) {
		return ""
	}
	return platforms()[pairs[i/4]>>(2*(i%4))&3]
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
