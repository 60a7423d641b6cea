// Package busy delivers chunks on a machine whose disk has too much to do: bulk
// writes wait by the dozen for the very files that claims, checkpoints and
// heartbeats go to. Nothing fails there, so nothing may come of it: no claim
// lapses, nobody is flagged as a possible duplicate, nobody is asked for twice.
//
// No limit of it is a time: a slow machine is slow in everything. It counts how
// many bulk writes went before one that was asked for after them.
package busy
