package door

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// coding is how a body is compressed on its way (RFC 9110 §8.4.1).
type coding string

const (
	identity   coding = ""
	codingGzip coding = "gzip"
	codingZstd coding = "zstd"
)

// acceptedCodings is what an answer of 415 says in Accept-Encoding (RFC 9110
// §12.5.3).
const acceptedCodings = "zstd, gzip"

// Limits of a compressed body.
const (
	// maxWindow is the memory that a zstd frame may ask for, what RFC 8878
	// §3.1.1.1.2 recommends every decoder to support. zstd stays below it at
	// levels up to 19, and passes it with --ultra and --long.
	maxWindow = 8 << 20
	// maxExpansion bounds how much a body may grow, once it gave expansionFree
	// bytes: zstd writes 128 KiB of zeros in a few bytes, and gzip packs up to
	// 1,032 to 1 (https://zlib.net/zlib_tech.html). Lines of JSON that differ in
	// a number only pack about 40 to 1, registration tokens 1.3 to 1.
	maxExpansion  = 400
	expansionFree = 64 << 20
)

// errBomb says that a body expands too much.
var errBomb = fmt.Errorf("expands to more than %d times its size", maxExpansion)

// coding returns how the body is compressed.
func (x *Exchange) coding() (coding, error) {
	given := x.Request.Header.Values("Content-Encoding")
	if len(given) > 1 || len(given) == 1 && strings.Contains(given[0], ",") {
		return identity, Refuse(CodeMediaType, "send the body with one Content-Encoding: %s, or none", acceptedCodings).With(
			"Accept-Encoding", acceptedCodings,
		)
	}
	if len(given) == 0 {
		return identity, nil
	}
	switch strings.ToLower(strings.TrimSpace(given[0])) {
	case "", "identity":
		return identity, nil
	case "gzip", "x-gzip": // the same thing (RFC 9110 §8.4.1.3)
		return codingGzip, nil
	case "zstd":
		return codingZstd, nil
	}
	return identity, Refuse(CodeMediaType, "Content-Encoding must be one of %s, or absent", acceptedCodings).With(
		"Accept-Encoding", acceptedCodings,
	)
}

// WantsZstd reports whether the client takes zstd as a content coding.
func WantsZstd(h http.Header) bool { return wants(h, codingZstd) }

// WantsGzip reports whether the client takes gzip as a content coding.
func WantsGzip(h http.Header) bool { return wants(h, codingGzip) }

func wants(h http.Header, c coding) bool {
	for _, v := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(v, ",") {
			name, q, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), string(c)) {
				return acceptable(strings.TrimPrefix(strings.TrimSpace(q), "q="))
			}
		}
	}
	return false
}

// decoder undoes a coding. It is not safe for concurrent use.
type decoder struct {
	body counted // as it comes
	kind coding
	free int64     // how many bytes it may give before they are counted
	in   io.Reader // opened at the first Read
	end  func()

	out int64
	err error // why decoding failed, though the body could be read; nil otherwise
}

func newDecoder(kind coding, body io.Reader) *decoder {
	return &decoder{body: counted{in: body}, kind: kind, free: expansionFree, end: func() {}}
}

// Read implements io.Reader.
func (d *decoder) Read(p []byte) (int, error) {
	if d.in == nil {
		if err := d.open(); err != nil {
			return 0, d.failed(err)
		}
	}
	n, err := d.in.Read(p)
	if d.out += int64(n); d.kind != identity && d.out > d.free && d.out/maxExpansion > d.body.n {
		return 0, d.failed(errBomb)
	}
	if errors.Is(err, io.EOF) && d.kind != identity && d.body.n == 0 {
		err = io.ErrUnexpectedEOF // no coding makes nothing of nothing
	}
	return n, d.failed(err)
}

// open reads a coding's header, which may wait for the client.
func (d *decoder) open() error {
	switch d.kind {
	case codingGzip:
		z, err := gzip.NewReader(&d.body)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		d.in = z
	case codingZstd:
		z, err := zstd.NewReader(&d.body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		d.in, d.end = z, z.Close
	case identity:
		d.in = &d.body
	}
	return nil
}

// failed notes an error that is the coding's own and not the body's.
func (d *decoder) failed(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && (d.body.err == nil || errors.Is(d.body.err, io.EOF)) {
		d.err = err
	}
	return err
}

// damage returns the refusal for a damaged coding; nil if it is not damaged.
func (d *decoder) damage() *RefusalError {
	switch {
	case d.err == nil:
		return nil
	case errors.Is(d.err, io.ErrUnexpectedEOF):
		return Refuse(CodeIncomplete, "the %s stream ends before its end", d.kind).By(d.err)
	case errors.Is(d.err, errBomb):
		return Refuse(CodeTooLarge, "the %s stream %s", d.kind, errBomb).By(d.err)
	case errors.Is(d.err, zstd.ErrWindowSizeExceeded), errors.Is(d.err, zstd.ErrWindowSizeTooSmall):
		return Refuse(CodeMalformed, "the zstd stream has a window beyond %d MiB: compress it without --ultra and --long", maxWindow>>20).By(
			d.err,
		)
	}
	return Refuse(CodeMalformed, "the body is not sound %s", d.kind).By(d.err)
}

// counted counts the bytes read, and remembers why reading ended.
type counted struct {
	in  io.Reader
	n   int64
	err error
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}
