// Package heal proves on real processes that the ledger heals: whatever becomes
// of a queue, every recipient ends, and nobody whose outcome was known is sent to
// again.
package heal
