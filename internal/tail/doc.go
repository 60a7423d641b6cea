// Package tail lets people follow what happens, as it happens: what was accepted, what came of it, breakers, replays, and
// who did what. It is for looking: the ledger and the audit log are the truth, and nothing here is waited for.
//
// Every process has a [Source], which is told every event and forgets it at once while nobody listens. While somebody does,
// it keeps the newest in a ring, numbered. The [Hub] of a process that serves the API takes them from the Source of its own
// process directly, and those of other processes from the document store, to which their Sources write what is new once a
// second ([ADR 12]). All listeners of a Hub share that reading, the encoding and a window of what was last.
//
// Nothing waits for a listener: a ring, a window or a listener's queue that is full drops its oldest, and whoever misses
// something is told so. Numbers of one Source have no holes, so what is missing shows, whatever dropped it.
//
// [ADR 12]: docs/adr/0012-following-events-through-documents.md
package tail
