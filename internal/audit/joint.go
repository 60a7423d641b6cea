package audit

import "context"

// Sealer makes the blocks of entries that a store commits together with what they are about. Safe for concurrent use.
type Sealer interface {
	// Seal returns what follows a chain whose end nobody else moves meanwhile.
	Seal(ctx context.Context, c Chain, entries []Entry) (Sealed, error)
}

// Chain is a tenant's chain as its store shows it to a [Sealer].
type Chain interface {
	Tenant() string
	// Last returns the last block without its lines, or push.ErrNotFound.
	Last(ctx context.Context) (Block, error)
	// Before returns whole blocks, the last one first.
	Before(ctx context.Context, limit int) ([]Block, error)
}

// Sealed is what a store writes.
type Sealed struct {
	Blocks  []Block
	Keep    bool   // keep the last block's head apart as well
	Durable func() // to be called when it is committed; nil: nothing is
}

// Joint is a store that appends in its own transactions, so that no two writers can come to the same place of a chain. Who
// records in it sees no conflict.
type Joint interface {
	// JoinAudit returns when the entries, all of one tenant, are durable behind the chain's end. They may share blocks with
	// entries of others that have the same sealer.
	JoinAudit(ctx context.Context, s Sealer, entries []Entry) error
}

// EndOf returns where a chain ends, of which the last blocks are given, the last one first: the first of them that holds
// what its head says. Otherwise somebody put it there, which verification finds.
func EndOf(tenant string, last []Block) Head {
	for i := range last {
		if b := &last[i]; b.First+int64(len(b.Lines))-1 == b.Head.Seq {
			return b.Head
		}
	}
	return Head{Tenant: tenant, Hash: Genesis(tenant)}
}
