// Package tail follows what happens over several real processes, on both backends: every kind of event comes once, whichever
// program it happens in, and goes on at another server when one is killed.
package tail
