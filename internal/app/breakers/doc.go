// Package breakers tells the whole installation what dispatchers' guards hold back: a
// dispatcher's changes become events and notes in the document store, and other
// programs read the notes to say what a notification waits for, or what a replay
// would run into. It never decides anything.
package breakers
