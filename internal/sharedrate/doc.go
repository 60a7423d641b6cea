// Package sharedrate is a token bucket that any number of processes share: a limit holds for all of them together,
// and a take costs no call to a store. It knows neither what a token stands for nor what is done without one.
//
// A bucket is one document, changed by compare-and-swap. A process leases a block of tokens from it, sized by what it
// used of late (some 100 to 500 ms' worth), spends the block by itself and gives back what is left. Three things keep
// the sum right:
//
//   - What is leased counts as being in the bucket until its lessee says that it is spent, or the lease is over. So
//     the bucket with all leases never holds more than the burst, and in any span of time no more is taken than the
//     burst and what the rate gives in it. A process that dies takes a block with it, no more.
//   - No wall clock takes part. A bucket has a time of its own, which starts at 0 and is carried on by the elapsed
//     time of whoever has watched it longest: a process reads the bucket's time once and adds its own monotonic
//     clock. Whatever it read is late, never early, so nobody mints tokens, however wrong his date is. A bucket
//     that no process watches stands still.
//   - A lessee stops using a lease by its own clock, counted from before it asked; others free it by the bucket's time,
//     which is later.
//
// While the store is away a process goes on with its last known share of the rate, for [Config.Grace], and says so.
package sharedrate
