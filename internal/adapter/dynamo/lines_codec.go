package dynamo

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of chunks. A line with 500 cells stays below 1,024
// bytes, one write unit: names count as well as values.
const (
	attrPK        = "pk" // see chunkPartition
	attrSK        = "sk" // see lineKey, planKey, attemptsKey
	attrSources   = "sources"
	attrLast      = "last"
	attrEpoch     = "epoch"
	attrOwner     = "owner"
	attrState     = "state" // ledger.State
	attrAttempt   = "attempt"
	attrTurn      = "turn"
	attrReserved  = "reserved"
	attrFrom      = "reserved_from"
	attrVanished  = "vanished"
	attrDue       = "due"   // microseconds; 0 for none
	attrCells     = "cells" // line: a byte each; plan: deflated, absent if all are open
	attrSaved     = "saved" // series of attempts → number of its last that counts, see SaveLine
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

func lineKey(ref push.ChunkRef) item {
	return item{attrPK: text(partitionOf(ref)), attrSK: text(sortLine + sequence(ref.Seq))}
}

func planKey(ref push.ChunkRef) item {
	return item{attrPK: text(partitionOf(ref)), attrSK: text(sortPlan + sequence(ref.Seq))}
}

// refOf reads the chunk of a line's or plan's key.
func refOf(i item) (push.ChunkRef, error) {
	pk, sk := i.text(attrPK), i.text(attrSK)
	id, _, ok := strings.Cut(pk, "#")
	if !ok || len(sk) < len(sortLine) {
		return push.ChunkRef{}, fmt.Errorf("key %q %q: %w", pk, sk, errDamaged)
	}
	seq, err := strconv.ParseInt(sk[len(sortLine):], 16, 64)
	if err != nil {
		return push.ChunkRef{}, fmt.Errorf("key %q %q: %w", pk, sk, errDamaged)
	}
	return push.ChunkRef{Notification: push.ID(id), Seq: int(seq)}, nil
}

// encodeLine returns a new line's item.
func (s *Store) encodeLine(l *ledger.Line, w nonce) item {
	i := lineKey(l.Ref)
	i[attrTenant], i[attrSources], i[attrLast] = text(l.Tenant), number(int64(l.Sources)), boolean(l.Last)
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
func (s *Store) changing(l *ledger.Line, w nonce) []attribute {
	return []attribute{
		{attrEpoch, number(l.Epoch)},
		{attrOwner, text(l.Owner)},
		{attrState, number(int64(l.State))},
		{attrAttempt, number(int64(l.Attempt))},
		{attrTurn, number(int64(l.Turn))},
		{attrReserved, number(int64(l.Reserved))},
		{attrFrom, number(int64(l.ReservedFrom))},
		{attrVanished, number(int64(l.Vanished))},
		{attrCells, blob(cellBytes(l.Cells))},
		{attrUpdated, number(l.UpdatedAt.UnixMicro())},
		{attrDue, number(microsOf(l.Due))},
		{TTLAttribute, number(s.expiry(s.retention))},
		{attrWrite, w.value()},
	}
}

func decodeLine(i item) (ledger.Line, error) {
	ref, err := refOf(i)
	return ledger.Line{
		Ref: ref, Tenant: i.text(attrTenant), Sources: int(i.number(attrSources)), Last: i.flag(attrLast),
		Epoch: i.number(attrEpoch), Owner: i.text(attrOwner), State: ledger.State(i.number(attrState)), //nolint:gosec // written from one
		Attempt: int(i.number(attrAttempt)), Turn: int(i.number(attrTurn)),
		ReservedFrom: int(i.number(attrFrom)), Reserved: int(i.number(attrReserved)), Vanished: int(i.number(attrVanished)),
		Cells: cellsOf(i.bytes(attrCells)), UpdatedAt: time.UnixMicro(i.number(attrUpdated)).UTC(), Due: timeOf(i.number(attrDue)),
	}, err
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

func (s *Store) encodePlan(p *ledger.Plan, w nonce) (item, error) {
	i := planKey(p.Ref)
	i[attrTenant], i[attrFirstLine], i[attrSources], i[attrLast] = text(p.Tenant), number(p.FirstLine), number(int64(p.Sources)), boolean(p.Last)
	hashes := make([]byte, 0, hashSize*len(p.Hashes))
	for _, h := range p.Hashes {
		hashes = binary.BigEndian.AppendUint64(hashes, h)
	}
	i[attrHashes] = blob(hashes)
	// Nearly every cell is open at planning, and 350 zeros would cost a unit.
	for _, c := range p.Cells {
		if c == 0 {
			continue
		}
		packed, err := deflate(nil, cellBytes(p.Cells))
		if err != nil {
			return nil, err
		}
		i[attrCells] = blob(packed)
		break
	}
	i[TTLAttribute], i[attrWrite] = number(s.expiry(s.retention)), w.value()
	return i, nil
}

// hashSize is the stored size of a push.Address.Hash.
const hashSize = 8

func decodePlan(i item) (ledger.Plan, error) {
	ref, err := refOf(i)
	if err != nil {
		return ledger.Plan{}, err
	}
	p := ledger.Plan{
		Ref: ref, Tenant: i.text(attrTenant), FirstLine: i.number(attrFirstLine), Sources: int(i.number(attrSources)), Last: i.flag(attrLast),
	}
	hashes := i.bytes(attrHashes)
	if len(hashes)%hashSize != 0 {
		return p, fmt.Errorf("plan %s: %w", ref, errDamaged)
	}
	for ; len(hashes) > 0; hashes = hashes[hashSize:] {
		p.Hashes = append(p.Hashes, binary.BigEndian.Uint64(hashes))
	}
	if !i.has(attrCells) {
		p.Cells = make([]ledger.Cell, len(p.Hashes))
		return p, nil
	}
	cells, err := inflate(i.bytes(attrCells), push.MaxChunkRecipients)
	if err != nil || len(cells) != len(p.Hashes) {
		return p, fmt.Errorf("plan %s: %w", ref, errDamaged)
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
