package ledger

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of chunks. Its partitions are chunkPartition, its sort
// keys lineKey, planKey and those of series; the state is a ledger.State. A line with 500 cells stays below 1,024
// bytes, one write unit: names count as well as values.
const (
	attrSources   = "sources"
	attrLast      = "last"
	attrEpoch     = "epoch"
	attrOwner     = "owner"
	attrAttempt   = "attempt"
	attrTurn      = "turn"
	attrReserved  = "reserved"
	attrFrom      = "reserved_from"
	attrVanished  = "vanished" // ledger.Line.Deaths
	attrFirst     = "first_at" // microseconds; 0 for none
	attrDue       = "due"      // microseconds; 0 for none
	attrCells     = "cells"    // line: a byte each; plan: deflated, absent if all are open
	attrSaved     = "saved"    // series of attempts → number of its last that counts, see SaveLine
	attrFirstLine = "first_line"
	attrHashes    = "hashes" // 8 bytes each, big endian
	attrEvidence  = "evidence"
)

// batchShards spreads the chunks of a batch over partitions, each of which
// takes 1,000 writes a second: 16 carry 10,000 sends a second of one batch
// twenty times over. Anything else has few chunks, and reading one partition
// costs a sixteenth.
const batchShards = 16

func shardsOf(id push.ID) int {
	if id.IsBatch() {
		return batchShards
	}
	return 1
}

// chunkPartition is the partition of one shard of a notification's chunks.
func chunkPartition(id push.ID, shard int) string {
	return string(id) + "#" + strconv.FormatInt(int64(shard), 16)
}

func partitionOf(ref push.ChunkRef) string {
	return chunkPartition(ref.Notification, ref.Seq%shardsOf(ref.Notification))
}

// Sort keys begin with what the item is, then the chunk's sequence, so that one
// query reads the lines of a partition and nothing else.
const (
	sortLine     = "L#"
	sortPlan     = "P#"
	sortAttempts = "A#"
)

func sequence(seq int) string { return fmt.Sprintf("%08x", max(seq, 0)) }

func lineKey(ref push.ChunkRef) table.Item {
	return table.Item{table.AttrPK: table.Text(partitionOf(ref)), table.AttrSK: table.Text(sortLine + sequence(ref.Seq))}
}

func planKey(ref push.ChunkRef) table.Item {
	return table.Item{table.AttrPK: table.Text(partitionOf(ref)), table.AttrSK: table.Text(sortPlan + sequence(ref.Seq))}
}

// refOf reads the chunk of a line's or plan's key.
func refOf(i table.Item) (push.ChunkRef, error) {
	pk, sk := i.Text(table.AttrPK), i.Text(table.AttrSK)
	id, _, ok := strings.Cut(pk, "#")
	if !ok || len(sk) < len(sortLine) {
		return push.ChunkRef{}, fmt.Errorf("key %q %q: %w", pk, sk, table.ErrDamaged)
	}
	seq, err := strconv.ParseInt(sk[len(sortLine):], 16, 64)
	if err != nil {
		return push.ChunkRef{}, fmt.Errorf("key %q %q: %w", pk, sk, table.ErrDamaged)
	}
	return push.ChunkRef{Notification: push.ID(id), Seq: int(seq)}, nil
}

// encodeLine returns a new line's item.
func (s *Store) encodeLine(l *ledger.Line, w table.Nonce) table.Item {
	i := lineKey(l.Ref)
	i[table.AttrTenant], i[attrSources], i[attrLast] = table.Text(l.Tenant), table.Number(int64(l.Sources)), table.Boolean(l.Last)
	i[attrSaved] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}}
	for _, x := range s.changing(l, w) {
		i[x.name] = x.value
	}
	return i
}

type attribute struct {
	name  string
	value types.AttributeValue
}

// changing returns the attributes that every save of a line replaces.
func (s *Store) changing(l *ledger.Line, w table.Nonce) []attribute {
	return []attribute{
		{attrEpoch, table.Number(l.Epoch)},
		{attrOwner, table.Text(l.Owner)},
		{table.AttrState, table.Number(int64(l.State))},
		{attrAttempt, table.Number(int64(l.Attempt))},
		{attrTurn, table.Number(int64(l.Turn))},
		{attrReserved, table.Number(int64(l.Reserved))},
		{attrFrom, table.Number(int64(l.ReservedFrom))},
		{attrVanished, table.Number(l.Deaths())},
		{attrCells, table.Blob(cellBytes(l.Cells))},
		{table.AttrUpdated, table.Number(l.UpdatedAt.UnixMicro())},
		{attrDue, table.Number(microsOf(l.Due))},
		{attrFirst, table.Number(microsOf(l.FirstAt))},
		{table.TTLAttribute, table.Number(s.db.Expiry(s.db.Retention))},
		{table.AttrWrite, w.Value()},
	}
}

func decodeLine(i table.Item) (ledger.Line, error) {
	ref, err := refOf(i)
	l := ledger.Line{
		Ref: ref, Tenant: i.Text(table.AttrTenant), Sources: int(i.Number(attrSources)), Last: i.Flag(attrLast),
		Epoch: i.Number(attrEpoch), Owner: i.Text(attrOwner), State: ledger.State(i.Number(table.AttrState)), //nolint:gosec // written from one
		Attempt: int(i.Number(attrAttempt)), Turn: int(i.Number(attrTurn)),
		ReservedFrom: int(i.Number(attrFrom)), Reserved: int(i.Number(attrReserved)),
		Cells: cellsOf(i.Bytes(attrCells)), UpdatedAt: time.UnixMicro(i.Number(table.AttrUpdated)).UTC(), Due: timeOf(i.Number(attrDue)),
		FirstAt: timeOf(i.Number(attrFirst)),
	}
	if !i.Has(attrFirst) && l.OpenCount() < len(l.Cells) {
		l.FirstAt = l.UpdatedAt // it was written by a program that did not keep it
	}
	l.SetDeaths(i.Number(attrVanished))
	return l, err
}

// microsOf is a time that may be zero, in microseconds since 1970; 0 if it is.
func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func (s *Store) encodePlan(p *ledger.Plan, w table.Nonce) (table.Item, error) {
	i := planKey(p.Ref)
	i[table.AttrTenant], i[attrFirstLine] = table.Text(p.Tenant), table.Number(p.FirstLine)
	i[attrSources], i[attrLast] = table.Number(int64(p.Sources)), table.Boolean(p.Last)
	hashes := make([]byte, 0, hashSize*len(p.Hashes))
	for _, h := range p.Hashes {
		hashes = binary.BigEndian.AppendUint64(hashes, h)
	}
	i[attrHashes] = table.Blob(hashes)
	// Nearly every cell is open at planning, and 350 zeros would cost a unit.
	for _, c := range p.Cells {
		if c == 0 {
			continue
		}
		packed, err := table.Deflate(nil, cellBytes(p.Cells))
		if err != nil {
			return nil, err
		}
		i[attrCells] = table.Blob(packed)
		break
	}
	i[table.TTLAttribute], i[table.AttrWrite] = table.Number(s.db.Expiry(s.db.Retention)), w.Value()
	return i, nil
}

// hashSize is the stored size of a push.Address.Hash.
const hashSize = 8

func decodePlan(i table.Item) (ledger.Plan, error) {
	ref, err := refOf(i)
	if err != nil {
		return ledger.Plan{}, err
	}
	p := ledger.Plan{
		Ref: ref, Tenant: i.Text(table.AttrTenant), FirstLine: i.Number(attrFirstLine), Sources: int(i.Number(attrSources)),
		Last: i.Flag(attrLast),
	}
	hashes := i.Bytes(attrHashes)
	if len(hashes)%hashSize != 0 {
		return p, fmt.Errorf("plan %s: %w", ref, table.ErrDamaged)
	}
	for ; len(hashes) > 0; hashes = hashes[hashSize:] {
		p.Hashes = append(p.Hashes, binary.BigEndian.Uint64(hashes))
	}
	if !i.Has(attrCells) {
		p.Cells = make([]ledger.Cell, len(p.Hashes))
		return p, nil
	}
	cells, err := table.Inflate(i.Bytes(attrCells), push.MaxChunkRecipients)
	if err != nil || len(cells) != len(p.Hashes) {
		return p, fmt.Errorf("plan %s: %w", ref, table.ErrDamaged)
	}
	p.Cells = cellsOf(cells)
	return p, nil
}

func cellBytes(cells []ledger.Cell) []byte {
	out := make([]byte, len(cells))
	for i, c := range cells {
		out[i] = byte(c)
	}
	return out
}

func cellsOf(b []byte) []ledger.Cell {
	out := make([]ledger.Cell, len(b))
	for i, c := range b {
		out[i] = ledger.Cell(c)
	}
	return out
}
