package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// A series is a run of attempts of which a line names the last one that counts.
// Within an epoch only its owner saves, one save after the other: one series.
// But several may race to make the same epoch, so evidence that comes with a new
// epoch is a series of its own, told apart by the nonce of its write.
type series struct {
	epoch int64
	maker string // "" within an epoch
}

// seriesOf returns the series of attempts saved with a line of an epoch.
func seriesOf(epoch, fromEpoch int64, w table.Nonce) series {
	if epoch == fromEpoch {
		return series{epoch: epoch}
	}
	return series{epoch: epoch, maker: hex.EncodeToString(w[:4])} // enough to tell a few racers apart
}

// name is the series in a line's map.
func (x series) name() string {
	name := strconv.FormatInt(x.epoch, 10)
	if x.maker != "" {
		name += "." + x.maker
	}
	return name
}

// key names the attempts of one save. Within a chunk they sort in the order of
// their saving: epochs grow, and so do an owner's numbers.
func (x series) key(ref push.ChunkRef, number int64) table.Item {
	sk := fmt.Sprintf("%s%08x#%016x", attemptsPrefix(ref), x.epoch, number)
	if x.maker != "" {
		sk += "#" + x.maker
	}
	return table.Item{table.AttrPK: table.Text(partitionOf(ref)), table.AttrSK: table.Text(sk)}
}

// parseAttemptsKey returns series and number of a sort key with the prefix.
func parseAttemptsKey(sk, prefix string) (x series, number int64, err error) {
	const epoch, n, maker = 0, 1, 2
	parts := strings.Split(strings.TrimPrefix(sk, prefix), "#")
	if len(parts) <= n {
		return x, 0, fmt.Errorf("sort key %q: %w", sk, table.ErrDamaged)
	}
	if len(parts) > maker {
		x.maker = parts[maker]
	}
	if x.epoch, err = strconv.ParseInt(parts[epoch], 16, 64); err == nil {
		number, err = strconv.ParseInt(parts[n], 16, 64)
	}
	if err != nil {
		return x, 0, fmt.Errorf("sort key %q: %w", sk, table.ErrDamaged)
	}
	return x, number, nil
}

func attemptsPrefix(ref push.ChunkRef) string { return sortAttempts + sequence(ref.Seq) + "#" }

// saveAttempts writes the attempts of one save and returns their number. Nobody
// reads them before the line names it.
func (s *Store) saveAttempts(ctx context.Context, ref push.ChunkRef, in series, attempts []ledger.Attempt) (int64, error) {
	evidence, err := encodeAttempts(attempts)
	if err != nil {
		return 0, err
	}
	n := s.db.NextStamp()
	i := in.key(ref, n)
	i[attrEvidence], i[table.TTLAttribute] = table.Blob(evidence), table.Number(s.db.Expiry(s.db.Retention))
	if _, err := s.db.Put(ctx, s.chunks, i, table.Expression{}, false); err != nil {
		return 0, fmt.Errorf("save %d attempts: %w", len(attempts), err)
	}
	return n, nil
}

// Attempts returns the evidence of a chunk in the order in which it was saved.
// The line is read first, so that everything it names is there.
func (s *Store) Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error) {
	out, err := s.attempts(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("attempts of %s: %w", ref, err)
	}
	return out, nil
}

func (s *Store) attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error) {
	line, err := s.db.Get(ctx, s.chunks, lineKey(ref))
	if err != nil || s.db.Live(line) == nil {
		return nil, err
	}
	saved, ok := line[attrSaved].(*types.AttributeValueMemberM)
	if !ok || len(saved.Value) == 0 {
		return nil, nil
	}
	prefix := attemptsPrefix(ref)
	q := table.Between(s.chunks, partitionOf(ref), prefix, prefix+"~", nil)
	q.ConsistentRead = new(true)
	m := s.db.Merge(table.AttrSK, false, table.Queries{q})
	var out []ledger.Attempt
	for {
		i, err := m.Next(ctx)
		if err != nil || i == nil {
			return out, err
		}
		of, n, err := parseAttemptsKey(i.Text(table.AttrSK), prefix)
		if err != nil {
			return nil, err
		}
		if n > table.NumberOf(saved.Value[of.name()]) {
			continue // its save did not happen
		}
		if out, err = decodeAttempts(out, i.Bytes(attrEvidence)); err != nil {
			return nil, err
		}
	}
}
