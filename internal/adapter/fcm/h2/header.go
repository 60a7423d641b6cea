package h2

import (
	"bytes"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// headerEncoder writes header blocks for one connection and keeps its half of
// the HPACK state. The connection's lock guards it.
type headerEncoder struct {
	enc   *hpack.Encoder
	buf   sink
	block []byte

	// owner is the header whose fields are in the table. A connection serves many
	// credentials, and a table has room for a few access tokens only: those that take
	// turns would push each other out of it with each request. So only the owner's fields
	// go through the table, the others' stand in their blocks as they are, which leaves
	// the table alone. A rival that comes often enough in a row becomes the owner.
	owner, rival *transport.Header
	inRow        int // requests of rival, with none of another header in between

	// cached is the block of cachedFor when it consists of nothing but indexes
	// into the table: writing it again changes no state, so it may be repeated.
	cachedFor *transport.Header
	cached    []byte
}

func newHeaderEncoder() *headerEncoder {
	e := &headerEncoder{}
	e.enc = hpack.NewEncoder(&e.buf)
	return e
}

// setTableSize applies the peer's SETTINGS_HEADER_TABLE_SIZE.
func (e *headerEncoder) setTableSize(n uint32) {
	e.enc.SetMaxDynamicTableSizeLimit(n)
	e.cachedFor, e.owner = nil, nil // the next block has to say it
}

// encode returns the header block for a body of n bytes. It is valid until the
// next call, and must be written before the block of the next call.
func (e *headerEncoder) encode(h *transport.Header, n int) []byte {
	switch {
	case e.cachedFor == h:
		e.block = append(e.block[:0], e.cached...)
	case !e.owns(h):
		e.block = append(e.block[:0], h.Kept(literalBlock)...)
	default:
		e.buf.b = e.buf.b[:0]
		e.write(":method", "POST")
		e.write(":scheme", h.Scheme)
		e.write(":authority", h.Authority)
		e.write(":path", h.Path)
		for _, f := range h.Fields {
			e.write(f.Name, f.Value)
		}
		e.cachedFor = nil // whatever was inserted has moved the indexes
		if allIndexed(e.buf.b) {
			e.cachedFor = h
			e.cached = append(e.cached[:0], e.buf.b...)
		}
		e.block = append(e.block[:0], e.buf.b...)
	}
	if e.owner == h {
		e.rival, e.inRow = nil, 0
	}
	e.block = appendContentLength(e.block, n)
	return e.block
}

// takeover is how many requests in a row make a header the owner of the table: so many cost
// about as much as what they have the next ones save.
const takeover = 4

// owns reports whether the fields of h may go through the table.
func (e *headerEncoder) owns(h *transport.Header) bool {
	if e.owner == h {
		return true
	}
	if e.rival != h {
		e.rival, e.inRow = h, 0
	}
	e.inRow++
	if e.owner != nil && e.inRow < takeover {
		return false
	}
	e.owner = h
	return true
}

// literalBlock returns the block of a header without the table: its fields are literals that
// are never indexed (RFC 7541 §6.2.3), so it is the same on every connection.
func literalBlock(h *transport.Header) []byte {
	e := newHeaderEncoder()
	e.write(":method", "POST")
	e.write(":scheme", h.Scheme)
	for _, f := range append([]transport.Field{{Name: ":authority", Value: h.Authority}, {Name: ":path", Value: h.Path}}, h.Fields...) {
		_ = e.enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value, Sensitive: true}) // a sink never fails
	}
	return bytes.Clone(e.buf.b)
}

// write encodes a field. Every field goes through HPACK's dynamic table, a bearer
// token too: RFC 7541 §7.1 warns of that where an attacker can add fields of his
// own to the same connection, which is not possible here.
func (e *headerEncoder) write(name, value string) {
	_ = e.enc.WriteField(hpack.HeaderField{Name: name, Value: value}) // a sink never fails
}

// allIndexed reports whether a block has only indexed fields (RFC 7541 §6.1),
// each in one byte: the high bit set and an index below 127, which the table of
// some ten fields never reaches.
func allIndexed(block []byte) bool {
	for _, b := range block {
		if b < 0x80 || b == 0xff {
			return false
		}
	}
	return true
}

// appendContentLength appends content-length as a literal without indexing
// (RFC 7541 §6.2.2) with the name's static index, 28: it differs from request
// to request and would only push useful entries out of the table.
func appendContentLength(block []byte, n int) []byte {
	block = append(block, 0x0f, 28-15, 0)
	length := len(block) - 1
	block = strconv.AppendInt(block, int64(n), 10)
	block[length] = byte(len(block) - length - 1) //nolint:gosec // an int has at most 20 digits
	return block
}

// sink is a growing buffer; writing to it never fails.
type sink struct{ b []byte }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// Limits on a response's header block, against a peer that never ends one
// (§10.5.1).
const (
	maxHeaderBytes     = 32 << 10
	maxHeaderFragments = 32
)

// headerDecoder reads the header blocks of one connection. Only the reader
// goroutine uses it.
type headerDecoder struct {
	dec       *hpack.Decoder
	bytes     int
	fragments int

	status     int // 0 = none seen; -1 = invalid
	retryAfter string
}

func newHeaderDecoder() *headerDecoder {
	d := &headerDecoder{}
	d.dec = hpack.NewDecoder(4096, d.field)
	d.dec.SetMaxStringLength(maxHeaderBytes)
	return d
}

func (d *headerDecoder) field(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		n, err := strconv.Atoi(f.Value)
		if err != nil || len(f.Value) != 3 || n < 100 || d.status != 0 {
			n = -1
		}
		d.status = n
	case "retry-after":
		d.retryAfter = f.Value
	}
}

// begin starts a block.
func (d *headerDecoder) begin() {
	d.bytes, d.fragments, d.status, d.retryAfter = 0, 0, 0, ""
}

// add decodes one fragment and, with the last, completes the block. Any error
// is one of the connection, since HPACK's state is lost with it (§4.3).
func (d *headerDecoder) add(fragment []byte, last bool) error {
	d.bytes += len(fragment)
	d.fragments++
	if d.bytes > maxHeaderBytes || d.fragments > maxHeaderFragments {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if _, err := d.dec.Write(fragment); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if !last {
		return nil
	}
	if err := d.dec.Close(); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	return nil
}
