package letters

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// An archive is NDJSON, plain or compressed with zstd (RFC 8878): a header, one
// letter a line, and a footer that counts them, so that a cut file is recognised. It holds
// addresses and messages: protect it like the store.
const (
	archiveType    = "dead_letters"
	archiveVersion = 1
	// maxArchiveLine bounds a line: a queue message is at most 1 MiB, and base64
	// adds a third.
	maxArchiveLine = 2 << 20
	// maxWindow bounds the memory that a compressed stream may ask for.
	maxWindow = 64 << 20
)

// header is the first line of an archive, footer the last.
type header struct {
	Type    string            `json:"type"`
	Version int               `json:"v"`
	At      time.Time         `json:"at"`
	Filter  push.LetterFilter `json:"filter"`
}

type footer struct {
	Type    string `json:"type"`
	Letters int64  `json:"letters"`
}

const footerType = "end"

// archiveWriter writes one archive.
type archiveWriter struct {
	to  io.WriteCloser // what compresses, or gathers small writes
	out *json.Encoder
	n   int64
}

// gathered is a plain archive's writer.
type gathered struct{ *bufio.Writer }

// Close writes what is left.
func (g gathered) Close() error { return g.Flush() }

func newArchiveWriter(w io.Writer, h header, compress bool) (*archiveWriter, error) {
	const piece = 64 << 10
	a := &archiveWriter{to: gathered{bufio.NewWriterSize(w, piece)}}
	if compress {
		zip, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
		if err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		a.to = zip
	}
	a.out = json.NewEncoder(a.to)
	a.out.SetEscapeHTML(false)
	h.Type, h.Version = archiveType, archiveVersion
	if err := a.out.Encode(h); err != nil {
		return nil, fmt.Errorf("write the header: %w", errors.Join(err, a.to.Close()))
	}
	return a, nil
}

func (a *archiveWriter) add(l *push.Letter) error {
	if err := a.out.Encode(l); err != nil {
		return fmt.Errorf("write %s: %w", l.ID, err)
	}
	a.n++
	return nil
}

// close writes the footer and ends the stream; without it the archive is cut.
func (a *archiveWriter) close() error {
	if err := a.out.Encode(footer{Type: footerType, Letters: a.n}); err != nil {
		return fmt.Errorf("write the footer: %w", err)
	}
	if err := a.to.Close(); err != nil {
		return fmt.Errorf("write the end: %w", err)
	}
	return nil
}

// plainReader returns the NDJSON of an archive, compressed or not, and a function that
// frees the reader.
func plainReader(r io.Reader) (io.Reader, func(), error) {
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878 §3.1.1
	in := bufio.NewReader(r)
	begin, err := in.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read an archive: %w", err)
	}
	if !bytes.Equal(begin, magic) {
		return in, func() {}, nil
	}
	zip, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, nil, fmt.Errorf("decompress: %w", err)
	}
	return zip, zip.Close, nil
}

// readHeader checks the first line.
func readHeader(line []byte) error {
	var h struct {
		Type    string `json:"type"`
		Version int    `json:"v"`
	}
	if err := request.DecodeKnown(line, &h); err != nil || h.Type != archiveType {
		return ErrArchive
	}
	if h.Version > archiveVersion {
		return fmt.Errorf("archive of version %d, this program reads up to %d: %w", h.Version, archiveVersion, push.ErrNewerSchema)
	}
	return nil
}
