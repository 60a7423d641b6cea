// Package fairness holds the promise that one tenant's flood does not slow another, with the
// real queue, worker and guard on a virtual clock: one tenant has a hundred seconds of
// the whole quota queued, and 999 others trickle. docs/fairness.md has what it prints.
package fairness
