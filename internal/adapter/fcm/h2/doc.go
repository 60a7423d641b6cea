// Package h2 is a lean HTTP/2 client for one origin and one kind of request:
// small POSTs in great numbers, each answered by a few hundred bytes. It keeps
// a fixed number of connections open, writes every request exactly once, and
// says of each failure whether the peer can have seen the request.
//
// It exists because a request through net/http (package nethttp, the other
// transport) costs three to four times the CPU, see BenchmarkSend of package fcm:
// there every request starts a goroutine, and its headers and its body take a
// TLS record and a write each. Here a connection has one reader and one writer
// goroutine; callers append frames to the connection's output under a short
// lock, and the writer sends all that gathered in one write. On a busy connection
// both let a few milliseconds of frames gather for each system call (gather.go).
//
// What it never does: retry a request, follow a redirect, decompress, keep
// cookies, accept a push, or speak HTTP/1. Frames and HPACK are those of
// golang.org/x/net/http2; section numbers in comments are of RFC 9113.
package h2
