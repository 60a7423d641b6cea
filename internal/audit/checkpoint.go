package audit

import (
	"context"
	"crypto/ed25519"
	"strconv"
	"strings"
	"time"
)

// Checkpoint says that a tenant's entries up to Seq were removed because they were past their retention, and what the hash
// of the chain was there: the rest is verified from it on. It has the fields of a [Head], with Seq and Hash of the last
// entry that was removed, and its signature covers other bytes, so that no head passes for one: who could take a head for
// a checkpoint could remove whatever is before it.
type Checkpoint Head

func (c *Checkpoint) signed() []byte {
	return []byte(strings.Join([]string{
		"belfry audit checkpoint v1", strconv.Quote(c.Tenant), strconv.FormatInt(c.Seq, 10), c.Hash.String(),
		strconv.FormatInt(c.Time.UnixMicro(), 10), c.Key,
	}, "\n"))
}

// SignCheckpoint completes a checkpoint.
func (k *Keyring) SignCheckpoint(c *Checkpoint) {
	c.Time = c.Time.UTC().Truncate(time.Microsecond)
	c.Key = KeyID(k.public[0])
	c.Signature = ed25519.Sign(k.signing, c.signed())
}

// Checkpoints remove what is past its retention, and nothing else.
type Checkpoints interface {
	// AuditCheckpoint returns a tenant's checkpoint, or push.ErrNotFound if nothing was ever removed.
	AuditCheckpoint(ctx context.Context, tenant string) (Checkpoint, error)
	// TrimAudit stores a checkpoint in place of one with a lower Seq, and then removes up to most blocks that it covers, the
	// oldest first, and returns how many they were. When it has removed all of them it removes the kept heads before the
	// checkpoint, but for the tenant's last one. If the stored checkpoint is another one with the same Seq or a higher one it
	// changes nothing: push.ErrConflict. The same one again removes what is left. That the checkpoint ends a block, and that
	// a block remains behind it, is the caller's to see to.
	TrimAudit(ctx context.Context, c Checkpoint, most int) (int, error)
}
