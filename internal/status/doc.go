// Package status is the system on one screen: every process, queue and credential, what is under way and what it waits for,
// what is dead and why, and above all one line that says whether it is healthy, and if not who is affected, since when, why,
// and what to do.
//
// Processes are not asked. Each of them writes a small document every few seconds, its beat ([Beats]), which says how it is and
// what it has in hand; whoever asks for the status reads them all. So it does not matter who runs where, a process that hangs
// or is cut off shows by the age of its beat, and one that is gone for long is forgotten.
//
// Whatever a [Room] reads costs O(processes + queues + running notifications looked at + causes of dead letters): never a walk
// over recipients, letters or finished notifications. What may be slow all the same, such as the sums over a batch of millions
// or a store that hangs, is bounded: each part of the answer has a fifth of a second, then its last known value is told, with
// its age, and the reading goes on for the next who asks.
package status
