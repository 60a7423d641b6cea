package wire

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// UploadPage is one page of an upload: a range of consecutive lines, what was
// good of them and what was refused. Lines in neither list were blank. Because
// the range is part of the page, whoever finds a page that its writer could not
// announce any more knows which lines it holds.
//
// It is stored as a page of recipients with more to it: [DecodeRecipients]
// reads it too, and sees the recipients.
type UploadPage struct {
	First, Last int64            // the lines it covers, from 1, both included
	Recipients  []push.Recipient // with their Line, ascending
	Refused     []RefusedLine    // ascending
}

// RefusedLine is an upload line that was not taken, and why.
type RefusedLine struct {
	Line int64 `json:"line"`
	push.Fault
}

type uploadPageJSON struct {
	recipientsJSON
	FirstLine int64         `json:"first_line"`
	LastLine  int64         `json:"last_line"`
	Refused   []RefusedLine `json:"refused,omitempty"`
}

// EncodeUploadPage returns the page as it is stored. The same page always
// becomes the same bytes.
func EncodeUploadPage(p *UploadPage) ([]byte, error) {
	return encode(uploadPageJSON{
		recipientsJSON: recipientsJSON{envelope: envelope{V: Version, Type: typeRecipients}, columns: columnsOf(p.Recipients)},
		FirstLine:      p.First, LastLine: p.Last, Refused: p.Refused,
	})
}

// DecodeUploadPage reads what [EncodeUploadPage] wrote. Lines that don't ascend
// or leave the page's range are [ErrForeign].
func DecodeUploadPage(data []byte) (UploadPage, error) {
	var in uploadPageJSON
	if err := decodeColumns(data, typeRecipients, &in, &in.envelope, &in.columns); err != nil {
		return UploadPage{}, err
	}
	rs, err := in.recipients()
	if err != nil {
		return UploadPage{}, err
	}
	p := UploadPage{First: in.FirstLine, Last: in.LastLine, Recipients: rs, Refused: in.Refused}
	if p.First < 1 || p.Last < p.First {
		return UploadPage{}, fmt.Errorf("%w: an upload page of lines %d to %d", ErrForeign, p.First, p.Last)
	}
	if err := p.ascending(len(p.Recipients), func(i int) int64 { return p.Recipients[i].Line }); err != nil {
		return UploadPage{}, err
	}
	return p, p.ascending(len(p.Refused), func(i int) int64 { return p.Refused[i].Line })
}

func (p *UploadPage) ascending(n int, line func(i int) int64) error {
	last := p.First - 1
	for i := range n {
		l := line(i)
		if l <= last || l > p.Last {
			return fmt.Errorf("%w: line %d after %d in an upload page of lines %d to %d", ErrForeign, l, last, p.First, p.Last)
		}
		last = l
	}
	return nil
}

// EraseRecipients returns a page in which erase has changed recipients, whether it was uploaded or
// planned; nil if it has changed none. erase reports for each whether it did, and must leave its
// place alone: Line and DuplicateOf.
func EraseRecipients(data []byte, erase func(r *push.Recipient) bool) ([]byte, error) {
	var in uploadPageJSON
	if err := decodeColumns(data, typeRecipients, &in, &in.envelope, &in.columns); err != nil {
		return nil, err
	}
	rs, err := in.recipients()
	if err != nil {
		return nil, err
	}
	changed := false
	for i := range rs {
		changed = erase(&rs[i]) || changed
	}
	switch {
	case !changed:
		return nil, nil
	case in.FirstLine == 0:
		return EncodeRecipients(rs)
	}
	return EncodeUploadPage(&UploadPage{First: in.FirstLine, Last: in.LastLine, Recipients: rs, Refused: in.Refused})
}
