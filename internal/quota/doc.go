// Package quota holds tenants, their apps and their keys to what they are entitled to: requests a second, notifications a
// minute, recipients a day, and recipients that wait. Each quota is one shared bucket ([sharedrate]), so that it holds for
// all processes together, and a take mostly asks nobody.
//
// What is over a quota is refused with a [push.OverQuotaError] that says which, how much, and when it is free again; or,
// if the tenant has chosen so, it is accepted and starts when the quota lets it. It is never dropped. Requests a second
// are always refused: an answer cannot wait.
//
// While the store of the buckets is away a process goes on with its last known share for a minute, and lets everything
// through after that: nothing can be accepted without that store anyway, and whoever repairs it must get in.
package quota
