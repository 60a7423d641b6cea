// Package browser shows what a web page in a real browser can do to a server on
// the same machine: nothing.
package browser
