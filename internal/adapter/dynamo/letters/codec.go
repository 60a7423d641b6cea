package letters

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// storedLetter is a letter and what the store knows of it besides.
type storedLetter struct {
	push.Letter

	at           string // place in the order of arrival
	counterShard int    // of its group's counter items
	trail        []byte // nonces of its last writes, see made
	parts        parts  // of a body that is apart
}

// maxTrail bounds the trail, in bytes: the last 32 writes.
const maxTrail = 32 * len(table.Nonce{})

// write makes the trail longer by one write that led to n more versions.
func (l *storedLetter) write(w table.Nonce, n int) {
	l.trail = slices.Clone(l.trail)
	for range n {
		l.trail = append(l.trail, w[:]...)
	}
	l.trail = l.trail[max(0, len(l.trail)-maxTrail):]
}

// made reports whether the write w led to a version of the letter.
func (l *storedLetter) made(version int64, w table.Nonce) bool {
	back := l.Version - version
	if back < 0 {
		return false
	}
	at := int64(len(l.trail)) - (back+1)*int64(len(w))
	if at < 0 {
		return true // so long ago that nobody knows; whoever asks died then
	}
	return table.Nonce(l.trail[at:at+int64(len(w))]) == w
}

// encode returns the letter's item.
func (l *storedLetter) encode() (table.Item, error) {
	story := l.Letter
	story.State, story.Version, story.Replay, story.Outcome = "", 0, "", push.CodeOpen
	story.MovedAt, story.Reason, story.By, story.Body = time.Time{}, "", "", nil
	packed, err := table.PackJSON(story)
	if err != nil {
		return nil, err
	}
	i := letterKey(l.ID)
	i[attrStory], i[attrAt] = table.Blob(packed), table.Text(l.at)
	i[attrCounterShard], i[attrTrail] = table.Number(int64(l.counterShard)), table.Blob(l.trail)
	i[table.AttrState], i[table.AttrVersion] = table.Text(string(l.State)), table.Number(l.Version)
	i.SetTime(attrMoved, l.MovedAt)
	i.SetText(attrReplay, string(l.Replay))
	i.SetText(attrReason, l.Reason)
	i.SetText(attrBy, l.By)
	i.SetText(attrParts, l.parts.text())
	if l.Outcome != push.CodeOpen {
		i[attrOutcome] = table.Number(int64(l.Outcome))
	}
	if l.parts.count == 0 && len(l.Body) > 0 {
		body, err := table.Pack(l.Body)
		if err != nil {
			return nil, err
		}
		i[table.AttrBody] = table.Blob(body)
	}
	l.index(i)
	return i, nil
}

// index sets the keys of the indexes.
func (l *storedLetter) index(i table.Item) {
	shard, side := letterShard(l.ID), sideOf(l.State)
	i[attrArrival] = table.Text(shardKey(shard, side))
	i[attrGroup] = table.Text(shardKey(shard, side, groupHash(l.Fingerprint, l.Tenant, l.Queue)))
	if l.Notification != "" {
		i[attrNotificationShard] = table.Text(shardKey(shard, string(l.Notification)))
	}
	if l.Replay != "" {
		i[attrReplayShard] = table.Text(shardKey(shard, replaySide(&l.Letter), string(l.Replay)))
	}
	if side == sideDone {
		i[attrDoneShard], i[attrDoneAt] = table.Text(shardKey(shard)), table.Text(doneHour(l.MovedAt))
	}
}

// decodeLetter reads a letter's item; a body that is apart is not read yet. Of a
// purged letter there is the trail and no story.
func decodeLetter(i table.Item) (storedLetter, error) {
	l := storedLetter{at: i.Text(attrAt), counterShard: int(i.Number(attrCounterShard)), trail: i.Bytes(attrTrail)}
	var err error
	if i.Has(attrStory) || !i.Has(table.TTLAttribute) {
		err = table.UnpackJSON(i.Bytes(attrStory), &l.Letter)
	}
	if err == nil {
		l.parts, err = parseParts(i.Text(attrParts))
	}
	if body := i.Bytes(table.AttrBody); err == nil && body != nil {
		l.Body, err = table.Unpack(body)
	}
	if err != nil {
		return l, fmt.Errorf("dead letter %s: %w", i.Text(table.AttrPK), err)
	}
	l.ID, l.State = push.ID(i.Text(table.AttrPK)), push.LetterState(i.Text(table.AttrState))
	l.Version, l.Replay = i.Number(table.AttrVersion), push.ID(i.Text(attrReplay))
	l.Outcome = push.Code(i.Number(attrOutcome)) //nolint:gosec // written from one
	l.MovedAt, l.Reason, l.By = i.Time(attrMoved), i.Text(attrReason), i.Text(attrBy)
	if !slices.Contains(push.LetterStates(), l.State) {
		return l, fmt.Errorf("dead letter %s in state %q: %w", l.ID, l.State, push.ErrNewerSchema)
	}
	return l, nil
}
