package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// letterFormat is the first byte of a letter's body.
const letterFormat = 1

var errLetter = errors.New("stored dead letter is damaged")

// appendLetter encodes what is neither in a column of its own nor common to the
// letter's group, as appendDevice does.
func appendLetter(dst []byte, l *push.Letter) []byte {
	r := &l.Recipient
	renew := 0
	if r.Renew {
		renew = 1
	}
	dst = append(dst, letterFormat)
	for _, n := range []int{l.Attempts, l.Series, l.Turn, renew} {
		dst = binary.AppendUvarint(dst, unsigned(n))
	}
	dst = binary.AppendVarint(dst, r.Line)
	dst = binary.AppendVarint(dst, micros(l.AcceptedAt))
	for _, text := range []string{
		l.Detail, string(l.ReplayOf), l.TraceParent, l.Software,
		string(r.Address.Kind), r.Address.Value.Reveal(), r.UserID, string(r.DeviceID), r.Locale, r.CollapseID, string(l.Body),
	} {
		dst = appendText(dst, text)
	}
	return appendTexts(appendTexts(dst, r.Data), l.Labels)
}

func appendTexts(dst []byte, m map[string]string) []byte {
	dst = binary.AppendUvarint(dst, unsigned(len(m)))
	if len(m) == 0 {
		return dst
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		dst = appendText(appendText(dst, key), m[key])
	}
	return dst
}

// decodeLetter fills in what appendLetter wrote.
func decodeLetter(l *push.Letter, b []byte) error {
	if len(b) == 0 {
		return errLetter
	}
	if b[0] != letterFormat {
		return fmt.Errorf("dead letter in format %d: %w", b[0], push.ErrNewerSchema)
	}
	r := varints{b: b[1:]}
	to := &l.Recipient
	l.Attempts, l.Series, l.Turn, to.Renew = r.count(), r.count(), r.count(), r.count() == 1
	to.Line, l.AcceptedAt = r.signed(), fromMicros(r.signed())
	l.Detail, l.ReplayOf, l.TraceParent, l.Software = r.text(), push.ID(r.text()), r.text(), r.text()
	to.Address = push.Address{Kind: push.Kind(r.text()), Value: push.Token(r.text())}
	to.UserID, to.DeviceID, to.Locale, to.CollapseID = r.text(), push.ID(r.text()), r.text(), r.text()
	if body := r.text(); body != "" {
		l.Body = []byte(body)
	}
	to.Data, l.Labels = r.texts(), r.texts()
	if r.bad || len(r.b) > 0 {
		return errLetter
	}
	return nil
}

// texts reads what appendTexts wrote.
func (r *varints) texts() map[string]string {
	n := r.count()
	if n == 0 || n > len(r.b) { // a pair has two bytes at least
		r.bad = r.bad || n > 0
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		key := r.text()
		m[key] = r.text()
	}
	return m
}

// letterNote is who moved a letter last and why, as one column.
func letterNote(reason, by string) string {
	if reason == "" && by == "" {
		return ""
	}
	return by + "\x00" + reason
}

func splitNote(note string) (reason, by string) {
	by, reason, _ = strings.Cut(note, "\x00")
	return reason, by
}
