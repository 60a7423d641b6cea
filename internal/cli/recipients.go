package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// source yields the recipients of a file as lines of an upload.
type source interface {
	// next returns a recipient's JSON, valid until the next call, and the line
	// of the file that it begins on, from 1. The error is io.EOF at the end, a
	// *lineError for a line that cannot be a recipient (go on), or final.
	next() (line []byte, at int64, err error)
}

// lineError says that a line of the file is no recipient; the others may be.
type lineError struct {
	at     int64
	detail string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.at, e.detail) }

// recipients is where the recipients of a batch come from.
type recipients struct {
	name   string
	size   int64 // 0: unknown
	read   *counter
	source source
	close  func() error
}

// openRecipients opens a file, or standard input for -. The format auto is CSV
// for *.csv and NDJSON for everything else.
func openRecipients(name, format string, in io.Reader) (*recipients, error) {
	r := &recipients{name: name, close: func() error { return nil }}
	if name != stdinName {
		f, err := os.Open(name) //nolint:gosec // the caller's own file
		if err != nil {
			return nil, fmt.Errorf("recipients: %w", err)
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			r.size = info.Size()
		}
		in, r.close = f, f.Close
	}
	r.read = &counter{r: in}
	buf, err := skipBOM(r.read)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recipients: read %s: %w", name, err), r.close())
	}
	if format == "csv" || format == "auto" && strings.EqualFold(filepath.Ext(name), ".csv") {
		if r.source, err = newCSV(buf); err != nil {
			return nil, errors.Join(fmt.Errorf("recipients: %s: %w", name, err), r.close())
		}
		return r, nil
	}
	r.source = &ndjson{r: buf}
	return r, nil
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// skipBOM drops the byte order mark that spreadsheets put in front of UTF-8.
func skipBOM(r io.Reader) (*bufio.Reader, error) {
	const bom, size = "\xef\xbb\xbf", 64 << 10
	buf := bufio.NewReaderSize(r, size)
	head, err := buf.Peek(len(bom))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(head) == bom {
		_, err = buf.Discard(len(bom))
		return buf, err
	}
	return buf, nil
}

// fileLines maps the number of an upload's line to the line of the file. The
// two run in step but for headers, blank lines, values that span lines, and
// lines that were not uploaded, so only the places where they part are kept.
type fileLines struct {
	from []int64 // upload line, ascending
	gap  []int64 // file line minus upload line, from there on
}

func (m *fileLines) add(upload, file int64) {
	if n := len(m.gap); n == 0 || m.gap[n-1] != file-upload {
		m.from, m.gap = append(m.from, upload), append(m.gap, file-upload)
	}
}

// file returns the line of the file; for an upload line that was never added
// it continues the last gap.
func (m *fileLines) file(upload int64) int64 {
	gap := int64(0)
	for i, from := range m.from {
		if from > upload {
			break
		}
		gap = m.gap[i]
	}
	return upload + gap
}
