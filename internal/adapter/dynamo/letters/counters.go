package letters

import (
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// A counter item is an item that counts letters: those of one group, spread over a few
// counter items, or those of one replay. Its counters change together with the letters
// although they are other items:
//
//  1. the journal: which letters a call is about to change, and what each change
//     adds to which counter
//  2. every counter item of the call gets a mark, p_<nonce>
//  3. the letters, each on condition of its version, each with the nonce in its
//     trail
//  4. every counter item of the call: what the changes that were made come to, added on
//     condition that the mark is there, which goes in the same write
//
// So a write that is repeated adds nothing twice. A crash after 1 leaves a
// journal that TTL removes, a crash later leaves marks. Whoever reads a counter item and
// finds a mark that is older than any call lasts does step 4: the journal names
// the letters, and their trails tell which changes were made. Until then the
// counters of that call trail; letters never do.

// Attributes of a counter item. Its counters begin with prefixCount, its marks with
// prefixMark.
const (
	attrGroupName = "group"      // JSON of what the letters of a group have in common
	attrSample    = "sample"     // id of its first letter
	attrFirst     = "first_dead" // microseconds since 1970
	attrLastDead  = "last_dead"
	attrMarks     = "marks" // how many there are
	attrCalls     = "calls" // how many there ever were
	prefixCount   = "n_"
	prefixMark    = "p_"
)

// Counters of a replay's counter item, beside one for every outcome.
const (
	countReplaying = "replaying"
	countReturned  = "returned"
	countOutcome   = "o" // followed by the push.Code
)

// callPatience is how long a call may work on letters, and markPatience after
// how long its marks are taken for those of one that died.
const (
	callPatience = 2 * time.Minute
	markPatience = 5 * time.Minute
)

// counterKey is the primary key of a counter item.
type counterKey struct{ pk, sk string }

func (k counterKey) item() table.Item {
	return table.Item{table.AttrPK: table.Text(k.pk), table.AttrSK: table.Text(k.sk)}
}

func groupPartition(shard int) string { return "groups#" + strconv.Itoa(shard) }

// groupCounter is where letters of a group are counted that one process stored.
// Groups of one process, and one group of several, lie in different partitions.
func groupCounter(hash string, shard int) counterKey {
	at := (int(hash[0]) + int(hash[1]) + shard) % letterShards
	return counterKey{groupPartition(at), hash + "#" + strconv.Itoa(shard)}
}

func replayCounter(replay push.ID) counterKey {
	return counterKey{"replay#" + string(replay), sortTally}
}

// counterItem is what a call does to one counter item.
type counterItem struct {
	counterKey

	group *push.Letter // one of the group's letters; nil for a replay's counter item
	// first and last are of letters that are put, in microseconds; 0 for none, or
	// where the counter item spans them already.
	first, last int64
}

// counters returns a counter item's counters by name.
func counters(i table.Item) map[string]int64 {
	found := map[string]int64{}
	for name := range i {
		if counter, ok := strings.CutPrefix(name, prefixCount); ok {
			found[counter] = i.Number(name)
		}
	}
	return found
}
