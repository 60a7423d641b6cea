// Package watch proves on a real server and a real ledger what watching and
// tracing promise: a thousand watchers of a million recipients fit into 150 MiB
// and miss nothing, and every kind of outcome is explained.
package watch
