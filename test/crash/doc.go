// Package crash proves on real processes what the ledger promises: whatever is
// killed, every recipient ends in exactly one outcome, and what was sent twice
// is flagged.
package crash
