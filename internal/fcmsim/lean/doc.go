// Package lean is an HTTP/2 server (RFC 9113) of our own for benchmarks, as far as an FCM client can tell; every other
// simulator is served by net/http. In a benchmark the simulator runs on the same processors as the sender under test, and
// net/http takes a goroutine, several hand-overs and two writes for every request, about five times what a simulated
// answer is worth. Here the goroutine that reads a connection decides in place, and answers that fall due together leave
// in one write.
//
// It serves without TLS only, hands HTTP/1.1 to net/http, and looks at the Host of a send only when a browser says that it
// sends it.
package lean
