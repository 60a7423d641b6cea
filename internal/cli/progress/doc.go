// Package progress shows a batch to a person: bars on a terminal, plain lines
// elsewhere, and the table of outcomes at the end. It asks a function how the
// batch stands and draws the answers; it sends nothing and decides nothing.
package progress
