package audits

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the DynamoDB driver of the audit log. It is safe for concurrent use by any
// number of goroutines and processes; every write is durable when it returns.
type Store struct {
	db *table.Client

	config string // table name
}

// New returns the driver on the tables whose names begin with prefix.
func New(db *table.Client, prefix string) *Store {
	return &Store{db: db, config: prefix + table.SuffixConfig}
}

// Attributes of a block and of a head. A block's sort key is its First, and a head's its tenant
// and Seq, in digits that sort like numbers.
const (
	attrSeq       = "seq" // of the last entry
	attrHash      = "hash"
	attrSigned    = "signed_at" // microseconds since 1970
	attrKey       = "key"
	attrSignature = "signature"

	headsKind = "audit-heads#"
)

func blocksOf(tenant string) string { return "audit#" + table.Scoped(tenant) }

func digits(n int64) string { return fmt.Sprintf("%019d", n) }

// beyond sorts behind every digit, separator behind no character of a tenant's name.
const (
	beyond    = "~"
	separator = "\x00"
)

// AppendAudit stores a block, unless there is another one with the same tenant and First:
// push.ErrConflict.
func (s *Store) AppendAudit(ctx context.Context, b audit.Block) error {
	if err := s.append(ctx, &b); err != nil {
		return fmt.Errorf("append audit entry %d of %q: %w", b.First, b.Tenant, err)
	}
	return nil
}

func (s *Store) append(ctx context.Context, b *audit.Block) error {
	packed, err := audit.Pack(b.Lines)
	if err != nil {
		return err
	}
	i := table.ConfigKey(blocksOf(b.Tenant), digits(b.First))
	encodeHead(i, &b.Head)
	i[table.AttrBody] = table.Blob(packed)
	var e table.Expression
	e.Absent(table.AttrKind)
	_, err = s.db.Put(ctx, s.config, i, e, false)
	if err == nil {
		return nil
	}
	found, err := s.db.Winner(ctx, err)
	if err == nil && !bytes.Equal(found.Bytes(attrSignature), b.Head.Signature) {
		err = push.ErrConflict // otherwise it is ours, of a try whose answer got lost
	}
	return err
}

// AuditBlocks returns blocks with a First of from or more, in their order.
func (s *Store) AuditBlocks(ctx context.Context, tenant string, from int64, limit int) ([]audit.Block, error) {
	return s.blocks(ctx, tenant, ">=", from, false, limit)
}

// AuditBlocksBefore returns blocks with a First below before, the last one first.
func (s *Store) AuditBlocksBefore(ctx context.Context, tenant string, before int64, limit int) ([]audit.Block, error) {
	return s.blocks(ctx, tenant, "<", before, true, limit)
}

func (s *Store) blocks(ctx context.Context, tenant, operator string, at int64, down bool, limit int) ([]audit.Block, error) {
	var e table.Expression
	cond := e.Name(table.AttrKind) + " = " + e.Value("kind", table.Text(blocksOf(tenant))) +
		" AND " + e.Name(table.AttrName) + " " + operator + " " + e.Value("at", table.Text(digits(at)))
	found, err := s.query(ctx, cond, e, down, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log of %q: %w", tenant, err)
	}
	out := make([]audit.Block, len(found))
	for n, i := range found {
		first := int64(0)
		_, _ = fmt.Sscanf(i.Text(table.AttrName), "%d", &first) // what else stands there is no block of ours: 0
		out[n] = audit.Block{Tenant: tenant, First: first, Head: decodeHead(i, tenant), Lines: audit.Unpack(i.Bytes(table.AttrBody))}
	}
	return out, nil
}

func (s *Store) query(ctx context.Context, cond string, e table.Expression, down bool, limit int) ([]table.Item, error) {
	limit = table.Limit(limit)
	most := int32(limit) //nolint:gosec // at most 1000
	return s.db.Merge(table.AttrName, down, table.Queries{&dynamodb.QueryInput{
		TableName: &s.config, KeyConditionExpression: &cond, Limit: &most, ConsistentRead: new(true),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}}).Take(ctx, limit)
}

// KeepAuditHead stores a head, unless there is one of the same tenant and Seq.
func (s *Store) KeepAuditHead(ctx context.Context, h audit.Head) error {
	i := table.ConfigKey(headsKind, h.Tenant+separator+digits(h.Seq))
	encodeHead(i, &h)
	i[table.AttrTenant] = table.Text(h.Tenant)
	var e table.Expression
	e.Absent(table.AttrKind)
	_, err := s.db.Put(ctx, s.config, i, e, false)
	if err = table.UnlessLost(err); err != nil {
		return fmt.Errorf("keep audit head %d of %q: %w", h.Seq, h.Tenant, err)
	}
	return nil
}

// AuditHeads returns the heads of a tenant with a Seq above after, in their order.
func (s *Store) AuditHeads(ctx context.Context, tenant string, after int64, limit int) ([]audit.Head, error) {
	found, err := s.heads(ctx, tenant+separator+digits(after+1), tenant+separator+beyond, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit heads of %q: %w", tenant, err)
	}
	out := make([]audit.Head, len(found))
	for n, i := range found {
		out[n] = decodeHead(i, i.Text(table.AttrTenant))
	}
	return out, nil
}

func (s *Store) heads(ctx context.Context, from, until string, limit int) ([]table.Item, error) {
	var e table.Expression
	cond := e.Name(table.AttrKind) + " = " + e.Value("kind", table.Text(headsKind)) +
		" AND " + e.Name(table.AttrName) + " BETWEEN " + e.Value("from", table.Text(from)) + " AND " + e.Value("until", table.Text(until))
	return s.query(ctx, cond, e, false, limit)
}

// AuditTenants returns tenants that have a head, behind the given one in the order of their
// names: one short query for each.
func (s *Store) AuditTenants(ctx context.Context, after string, limit int) ([]string, error) {
	const last = "\U0010FFFF"
	out := []string{}
	for len(out) < table.Limit(limit) {
		from := after + separator + beyond
		if after == "" {
			from = separator
		}
		found, err := s.heads(ctx, from, last, 1)
		if err != nil {
			return nil, fmt.Errorf("list the tenants of the audit log: %w", err)
		}
		if len(found) == 0 {
			break
		}
		after = found[0].Text(table.AttrTenant)
		out = append(out, after)
	}
	return out, nil
}

func encodeHead(i table.Item, h *audit.Head) {
	i[attrSeq], i[attrHash], i[attrSigned] = table.Number(h.Seq), table.Blob(h.Hash[:]), table.Number(h.Time.UnixMicro())
	i[attrKey], i[attrSignature] = table.Text(h.Key), table.Blob(h.Signature)
}

func decodeHead(i table.Item, tenant string) audit.Head {
	h := audit.Head{
		Tenant: tenant, Seq: i.Number(attrSeq), Time: time.UnixMicro(i.Number(attrSigned)).UTC(), Key: i.Text(attrKey),
		Signature: i.Bytes(attrSignature),
	}
	copy(h.Hash[:], i.Bytes(attrHash))
	return h
}
