// Package top is belfry top: the status of the system, live, with keys to sort, filter and drill down.
//
// A [model] is all that it knows. Its update takes a key, an answer, a tick or a new size and returns the next model and what
// is to be done; its view is the screen as text. Both are pure, so tests press keys and read screens without a terminal. What
// a server said is made visible when it comes ([visible.Fields]), so nothing behind that can drive the terminal.
package top
