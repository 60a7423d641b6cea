// Package transport defines what the sender and its transports share: a request, its answer, and
// what a failure means for the request. Packages h2 and nethttp are the transports; package
// transporttest tests the contract of both.
package transport
