package dynamo

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// storedLetter is a letter and what the store knows of it besides.
type storedLetter struct {
	push.Letter

	at    string // place in the order of arrival
	book  int    // shard of its group's books
	trail []byte // nonces of its last writes, see made
	parts parts  // of a body that is apart
}

// maxTrail bounds the trail, in bytes: the last 32 writes.
const maxTrail = 32 * len(nonce{})

// write makes the trail longer by one write that led to n more versions.
func (l *storedLetter) write(w nonce, n int) {
	l.trail = slices.Clone(l.trail)
	for range n {
		l.trail = append(l.trail, w[:]...)
	}
	l.trail = l.trail[max(0, len(l.trail)-maxTrail):]
}

// made tells whether the write w led to a version of the letter.
func (l *storedLetter) made(version int64, w nonce) bool {
	back := l.Version - version
	if back < 0 {
		return false
	}
	at := int64(len(l.trail)) - (back+1)*int64(len(w))
	if at < 0 {
		return true // so long ago that nobody knows; whoever asks died then
	}
	return nonce(l.trail[at:at+int64(len(w))]) == w
}

// encode returns the letter's item.
func (l *storedLetter) encode() (item, error) {
	story := l.Letter
	story.State, story.Version, story.Replay, story.Outcome = "", 0, "", push.CodeOpen
	story.MovedAt, story.Reason, story.By, story.Body = time.Time{}, "", "", nil
	packed, err := packJSON(story)
	if err != nil {
		return nil, err
	}
	i := letterKey(l.ID)
	i[attrStory], i[attrAt], i[attrBook], i[attrTrail] = blob(packed), text(l.at), number(int64(l.book)), blob(l.trail)
	i[attrState], i[attrVersion] = text(string(l.State)), number(l.Version)
	i.setTime(attrMoved, l.MovedAt)
	i.setText(attrReplay, string(l.Replay))
	i.setText(attrReason, l.Reason)
	i.setText(attrBy, l.By)
	i.setText(attrParts, l.parts.text())
	if l.Outcome != push.CodeOpen {
		i[attrOutcome] = number(int64(l.Outcome))
	}
	if l.parts.count == 0 && len(l.Body) > 0 {
		body, err := pack(l.Body)
		if err != nil {
			return nil, err
		}
		i[attrBody] = blob(body)
	}
	l.index(i)
	return i, nil
}

// index sets the keys of the indexes.
func (l *storedLetter) index(i item) {
	shard, side := letterShard(l.ID), sideOf(l.State)
	i[attrArrival] = text(shardKey(shard, side))
	i[attrGroup] = text(shardKey(shard, side, groupHash(l.Fingerprint, l.Tenant, l.Queue)))
	if l.Notification != "" {
		i[attrNotificationShard] = text(shardKey(shard, string(l.Notification)))
	}
	if l.Replay != "" {
		i[attrReplayShard] = text(shardKey(shard, handOf(&l.Letter), string(l.Replay)))
	}
	if side == sideDone {
		i[attrDoneShard], i[attrDoneAt] = text(shardKey(shard)), text(doneHour(l.MovedAt))
	}
}

// decodeLetter reads a letter's item; a body that is apart is not read yet.
func decodeLetter(i item) (storedLetter, error) {
	l := storedLetter{at: i.text(attrAt), book: int(i.number(attrBook)), trail: i.bytes(attrTrail)}
	var err error
	if err = unpackJSON(i.bytes(attrStory), &l.Letter); err == nil {
		l.parts, err = parseParts(i.text(attrParts))
	}
	if body := i.bytes(attrBody); err == nil && body != nil {
		l.Body, err = unpack(body)
	}
	if err != nil {
		return l, fmt.Errorf("dead letter %s: %w", i.text(attrPK), err)
	}
	l.State, l.Version, l.Replay = push.LetterState(i.text(attrState)), i.number(attrVersion), push.ID(i.text(attrReplay))
	l.Outcome = push.Code(i.number(attrOutcome)) //nolint:gosec // written from one
	l.MovedAt, l.Reason, l.By = i.time(attrMoved), i.text(attrReason), i.text(attrBy)
	if !slices.Contains(push.LetterStates(), l.State) {
		return l, fmt.Errorf("dead letter %s in state %q: %w", l.ID, l.State, push.ErrNewerSchema)
	}
	return l, nil
}
