package wire

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// columns is a run of recipients, laid out by column: nearly all of them are a
// bare token on the next line, so a row costs its token and three characters.
type columns struct {
	// Kind is that of every address, or "token" where they differ: Rows then
	// says which are of another.
	Kind   push.Kind    `json:"kind,omitempty"`
	Values []push.Token `json:"values"` // addresses; "" where a row has only a user or device
	// First is the upload line of row 0 when lines are consecutive; Lines has
	// them all when they aren't.
	First int64           `json:"first,omitempty"`
	Lines []int64         `json:"lines,omitempty"`
	Rows  map[int]rowJSON `json:"rows,omitempty"` // what a few rows have besides
}

type rowJSON struct {
	Kind       push.Kind         `json:"kind,omitempty"`
	UserID     string            `json:"user_id,omitempty"`
	DeviceID   push.ID           `json:"device_id,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	Locale     string            `json:"locale,omitempty"`
	CollapseID string            `json:"collapse_id,omitempty"`
	Override   message.Override  `json:"override,omitzero"`
	// DuplicateOf is in stored pages only: a duplicate is never sent.
	DuplicateOf int64 `json:"duplicate_of,omitempty"`
}

func (r *rowJSON) isZero() bool {
	return r.Kind == "" && r.UserID == "" && r.DeviceID == "" && len(r.Data) == 0 && r.Locale == "" && r.CollapseID == "" &&
		r.DuplicateOf == 0 && r.Override.IsZero()
}

func columnsOf(rs []push.Recipient) columns {
	c := columns{Kind: kindOf(rs), Values: make([]push.Token, len(rs))}
	consecutive := len(rs) > 0 && rs[0].Line > 0
	for i := range rs {
		r := &rs[i]
		c.Values[i] = r.Address.Value
		row := rowJSON{
			UserID: r.UserID, DeviceID: r.DeviceID, Data: r.Data, Locale: r.Locale, CollapseID: r.CollapseID, DuplicateOf: r.DuplicateOf,
			Override: r.Override,
		}
		if r.Address.Kind != c.Kind {
			row.Kind = r.Address.Kind
		}
		if !row.isZero() {
			if c.Rows == nil {
				c.Rows = map[int]rowJSON{}
			}
			c.Rows[i] = row
		}
		if r.Line != rs[0].Line+int64(i) {
			consecutive = false
		}
	}
	if consecutive {
		c.First = rs[0].Line
	} else if len(rs) > 0 {
		c.Lines = make([]int64, len(rs))
		for i := range rs {
			c.Lines[i] = rs[i].Line
		}
	}
	return c
}

// kindOf returns the kind that all addresses have, token if they differ, and ""
// if there are none.
func kindOf(rs []push.Recipient) push.Kind {
	var kind push.Kind
	for i := range rs {
		switch k := rs[i].Address.Kind; {
		case k == "" || k == kind:
		case kind == "":
			kind = k
		default:
			return push.KindToken
		}
	}
	return kind
}

func (c *columns) recipients() ([]push.Recipient, error) {
	if c.Lines != nil && len(c.Lines) != len(c.Values) {
		return nil, fmt.Errorf("%w: %d lines for %d values", ErrForeign, len(c.Lines), len(c.Values))
	}
	rs := make([]push.Recipient, len(c.Values))
	for i, v := range c.Values {
		r := &rs[i]
		if v != "" {
			r.Address = push.Address{Kind: c.Kind, Value: v}
		}
		switch {
		case c.Lines != nil:
			r.Line = c.Lines[i]
		case c.First > 0:
			r.Line = c.First + int64(i)
		}
	}
	for i, row := range c.Rows {
		if i < 0 || i >= len(rs) {
			return nil, fmt.Errorf("%w: row %d of %d", ErrForeign, i, len(rs))
		}
		r := &rs[i]
		r.UserID, r.DeviceID, r.Data, r.Locale, r.CollapseID = row.UserID, row.DeviceID, row.Data, row.Locale, row.CollapseID
		r.DuplicateOf, r.Override = row.DuplicateOf, row.Override
		if row.Kind != "" && r.Address.Value != "" {
			r.Address.Kind = row.Kind
		}
	}
	for i := range rs {
		if r := &rs[i]; r.Address.Value != "" && !r.Address.Kind.Valid() {
			return nil, fmt.Errorf("%w: row %d has an address of kind %q", ErrForeign, i, clip(string(r.Address.Kind)))
		}
	}
	return rs, nil
}

// RecipientBytes bounds how many bytes a recipient adds to a chunk or page, from
// above. What marks a duplicate is not counted: it never comes into a chunk, and
// a stored page has room for it.
func RecipientBytes(r *push.Recipient) int {
	const quotes, row, kind = 3, 99, 30
	n := escaped(string(r.Address.Value)) + quotes + digits(r.Line) + 1
	if r.Address.Kind != push.KindToken {
		n += kind
	}
	if r.UserID != "" || r.DeviceID != "" || r.Locale != "" || r.HasOverrides() {
		n += row + escaped(r.UserID) + escaped(string(r.DeviceID)) + escaped(r.Locale) + escaped(r.CollapseID)
		for k, v := range r.Data {
			n += escaped(k) + escaped(v) + 2*quotes
		}
		if o := r.Override; !o.IsZero() {
			const names = 120 // of all fields, and the longest badge
			n += names + escaped(o.Title) + escaped(o.Body) + escaped(o.Image) + escaped(o.LiveActivityToken)
		}
	}
	return n
}

func digits(n int64) int {
	d := 1
	for ; n > 9; n /= 10 {
		d++
	}
	return d
}

// escaped bounds the length of s inside ASCII JSON: a byte becomes at most 6.
func escaped(s string) int {
	n := len(s)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			n += 5
		}
	}
	return n
}

type recipientsJSON struct {
	envelope
	columns
}

// EncodeRecipients returns a page: recipients in order, with their upload lines.
func EncodeRecipients(rs []push.Recipient) ([]byte, error) {
	return encode(recipientsJSON{envelope: envelope{V: Version, Type: typeRecipients}, columns: columnsOf(rs)})
}

// DecodeRecipients reads a page.
func DecodeRecipients(data []byte) ([]push.Recipient, error) {
	var in recipientsJSON
	if err := decodeColumns(data, typeRecipients, &in, &in.envelope, &in.columns); err != nil {
		return nil, err
	}
	return in.recipients()
}
