package client

import (
	"bytes"
	"compress/gzip"
)

// Compression is how an [Uploader] compresses what it sends. The zero value
// does not compress.
type Compression struct {
	// Name is the Content-Encoding: gzip or zstd.
	Name string
	// Encode appends src, compressed as one whole, to dst.
	Encode func(src, dst []byte) []byte
}

// Gzip is compression by the standard library. zstd costs less time for the
// same size; github.com/klauspost/compress/zstd has it:
//
//	enc, err := zstd.NewWriter(nil)
//	zstd := client.Compression{Name: "zstd", Encode: enc.EncodeAll}
func Gzip() Compression {
	return Compression{Name: "gzip", Encode: func(src, dst []byte) []byte {
		out := bytes.NewBuffer(dst)
		z := gzip.NewWriter(out)
		_, _ = z.Write(src) // a bytes.Buffer takes everything
		_ = z.Close()
		return out.Bytes()
	}}
}

// WithCompression compresses an upload on its way. If the server does not take
// it, the upload goes on without.
func WithCompression(how Compression) CallOption {
	return func(o *callOptions) { o.compress = how }
}

// WithCSVHeader makes an upload one of CSV: header is the row that names the
// columns, and [Uploader.AddLine] takes records as they are, line breaks in
// quotation marks included. The header has no number.
func WithCSVHeader(header []byte) CallOption {
	row := append(bytes.TrimSuffix(bytes.Clone(header), []byte("\n")), '\n')
	return func(o *callOptions) { o.csvHeader = row }
}
