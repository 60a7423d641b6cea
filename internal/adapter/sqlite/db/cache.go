package db

import "strconv"

// Cache bounds the pages of a file that its connections keep in memory, in KiB of pages. The driver's
// allocator rounds a page and its header up to 8 KiB, so that they take twice as much of the process. What
// a connection has no page of it reads from the operating system, which keeps the file anyway: some
// microseconds. The driver maps no database into memory.
type Cache struct {
	Writer int // of the writing connection
	Reader int // of each reading connection, of which there are four, or one per processor
}

// usual is the cache of a file of which nothing else is said: hot trees of tens of megabytes, whose
// upper pages every reader needs.
func usual() Cache {
	const writer, reader = 12 << 10, 3 << 10
	return Cache{Writer: writer, Reader: reader}
}

func cacheSize(kib int) string { return "cache_size(-" + strconv.Itoa(kib) + ")" }
