package letters

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/packed"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// The first byte of a letter's body.
const (
	letterFormat = 1
	cutFormat    = 2 // with the length of a message of which only the beginning is kept behind it all
	ownFormat    = 3 // with what the recipient overrides behind that, and the length before it
)

var errLetter = errors.New("stored dead letter is damaged")

// encodeLetter encodes what is neither in a column of its own nor common to the
// letter's group, as appendDevice does.
func encodeLetter(l *push.Letter) []byte {
	r := &l.Recipient
	renew := 0
	if r.Renew {
		renew = 1
	}
	format := byte(letterFormat)
	if l.Bytes > 0 {
		format = cutFormat
	}
	if !r.Override.IsZero() {
		format = ownFormat
	}
	dst := []byte{format}
	for _, n := range []int{l.Attempts, l.Series, l.Turn, renew} {
		dst = packed.AppendCount(dst, n)
	}
	dst = binary.AppendVarint(dst, r.Line)
	dst = binary.AppendVarint(dst, rows.Micros(l.AcceptedAt))
	for _, text := range []string{
		l.Detail, string(l.ReplayOf), l.TraceParent, l.Software,
		string(r.Address.Kind), r.Address.Value.Reveal(), r.UserID, string(r.DeviceID), r.Locale, r.CollapseID, string(l.Body),
	} {
		dst = packed.AppendText(dst, text)
	}
	dst = packed.AppendTexts(packed.AppendTexts(dst, r.Data), l.Labels)
	if format != letterFormat {
		dst = packed.AppendCount(dst, l.Bytes)
	}
	if format == ownFormat {
		own, _ := json.Marshal(r.Override) // texts and a number: it cannot fail
		dst = packed.AppendText(dst, string(own))
	}
	return dst
}

// decodeLetter fills in what encodeLetter wrote.
func decodeLetter(l *push.Letter, b []byte) error {
	if len(b) == 0 {
		return errLetter
	}
	if b[0] < letterFormat || b[0] > ownFormat {
		return fmt.Errorf("dead letter in format %d: %w", b[0], push.ErrNewerSchema)
	}
	r := packed.Reader{Left: b[1:]}
	to := &l.Recipient
	l.Attempts, l.Series, l.Turn, to.Renew = r.Count(), r.Count(), r.Count(), r.Count() == 1
	to.Line, l.AcceptedAt = r.Signed(), rows.FromMicros(r.Signed())
	l.Detail, l.ReplayOf, l.TraceParent, l.Software = r.Text(), push.ID(r.Text()), r.Text(), r.Text()
	to.Address = push.Address{Kind: push.Kind(r.Text()), Value: push.Token(r.Text())}
	to.UserID, to.DeviceID, to.Locale, to.CollapseID = r.Text(), push.ID(r.Text()), r.Text(), r.Text()
	if body := r.Text(); body != "" {
		l.Body = []byte(body)
	}
	to.Data, l.Labels = r.Texts(), r.Texts()
	if b[0] != letterFormat {
		l.Bytes = r.Count()
	}
	if b[0] == ownFormat && json.Unmarshal([]byte(r.Text()), &to.Override) != nil {
		return errLetter
	}
	if r.Bad || len(r.Left) > 0 {
		return errLetter
	}
	return nil
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
