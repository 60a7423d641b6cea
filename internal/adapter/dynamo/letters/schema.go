package letters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// The table of dead letters holds four kinds of item: letters, parts of bodies
// that are too large for their letter, counter items, and journals. docs/dynamodb.md
// draws them.
const (
	suffixLetters = "-letters"

	indexArrival        = "arrival"
	indexByGroup        = "by_group"
	indexByNotification = "by_notification"
	indexByReplay       = "by_replay"
	indexDone           = "done"
)

// Attributes of a letter. All but the last two are in an index's key.
const (
	attrAt                = "at"         // place in the order of arrival, see placeOf
	attrArrival           = "arrival"    // "<shard>#<side>"
	attrGroup             = "grp"        // "<shard>#<side>#<group>"
	attrNotificationShard = "ntf"        // "<shard>#<notification>", absent without one
	attrReplayShard       = "rpl"        // "<shard>#<side>#<replay>", absent without one
	attrDoneShard         = "done_shard" // shard; present only when done
	attrDoneAt            = "done_at"    // sortable hour of the last move
	attrStory             = "story"      // what never changes, as JSON, see table.PackJSON
	attrTrail             = "trail"      // nonces of the last writes, one a version
	attrReplay            = "replay"     // that claimed it last
	attrOutcome           = "outcome"    // push.Code
	attrMoved             = "moved_at"   // microseconds since 1970
	attrReason            = "reason"     // of the last move
	attrBy                = "moved_by"   // who discarded it
	attrCounterShard      = "book"       // in which of its group's counter items it is counted
	attrParts             = "parts"      // "<nonce>#<count>" of a body that is apart
)

// The sort keys of the table.
const (
	sortLetter  = "letter"
	sortPart    = "part#"
	sortTally   = "tally"
	sortJournal = "journal"
)

// letterShards spreads what goes by time over partitions of the indexes, each of
// which takes 1,000 writes a second: a drain of 8,000 letters a second, all of
// one cause and one batch. Moves touch two or three keys of an index each.
const letterShards = 8

// counterShards is the number of counter items of a group. Each process counts the
// letters that it stores in one of them.
const counterShards = 4

// A letter is live while something can still be done with it, then done for
// good. Listings of what is parked never pass through what is done.
const (
	sideLive = "live"
	sideDone = "done"
)

// The sides of a replay's letters. An open letter is claimed or waits for its
// outcome. Replays list their open letters often, so they have a partition of their own.
const (
	replayOpen   = "open"
	replayClosed = "closed"
)

func letterKey(id push.ID) table.Item {
	return table.Item{table.AttrPK: table.Text(string(id)), table.AttrSK: table.Text(sortLetter)}
}

func letterShard(id push.ID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % letterShards)
}

// shardKey joins a shard and the rest of a partition key. Nothing follows the
// rest, so that it may hold any character.
func shardKey(shard int, rest ...string) string {
	return strconv.Itoa(shard) + "#" + strings.Join(rest, "#")
}

func sideOf(s push.LetterState) string {
	switch s {
	case push.LetterReplayed, push.LetterDiscarded:
		return sideDone
	case push.LetterParked, push.LetterReplaying:
	}
	return sideLive
}

func replaySide(l *push.Letter) string {
	if l.State == push.LetterReplaying || l.Awaiting() {
		return replayOpen
	}
	return replayClosed
}

// groupHash names the group of one fingerprint, tenant and queue.
func groupHash(fingerprint, tenant, queue string) string {
	const enough = 12 // bytes: groups are thousands at most
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s %d:%s %s", len(fingerprint), fingerprint, len(tenant), tenant, queue))
	return hex.EncodeToString(sum[:enough])
}

// placeOf is a place in the order of arrival: when a call stored its letters,
// which call that was, and which of its letters this is.
func placeOf(stamp int64, w table.Nonce, i int) string {
	return fmt.Sprintf("%0*x%x%03x", placeStamp, stamp, w[:placeNonce], i)
}

const (
	placeStamp  = 16
	placeNonce  = 3
	placeLength = placeStamp + 2*placeNonce + 3
)

func isPlace(s string) bool {
	return len(s) == placeLength && strings.Trim(s, "0123456789abcdef") == ""
}

// doneHour is a time as the index of done letters sorts by it. Whole hours,
// because a replayed letter moves once more when its outcome is known, and an
// index entry that stays where it is costs nothing.
func doneHour(t time.Time) string { return table.Sortable(t.Truncate(time.Hour)) }

// Table is the table of dead letters.
func Table(prefix string) table.Table {
	return table.Table{
		Name: prefix + suffixLetters, Key: table.Key{Partition: table.AttrPK, Sort: table.AttrSK}, TTL: table.TTLAttribute,
		Indexes: []table.Index{
			{Name: indexArrival, Key: table.Key{Partition: attrArrival, Sort: attrAt}},
			{Name: indexByGroup, Key: table.Key{Partition: attrGroup, Sort: attrAt}},
			{Name: indexByNotification, Key: table.Key{Partition: attrNotificationShard, Sort: attrAt}},
			{Name: indexByReplay, Key: table.Key{Partition: attrReplayShard, Sort: attrAt}},
			{Name: indexDone, Key: table.Key{Partition: attrDoneShard, Sort: attrDoneAt}},
		},
	}
}
