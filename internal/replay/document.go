package replay

// The kinds of document that the room keeps, each named by its replay.
const (
	kindRun   = "replay"
	kindPulse = "replay-pulse"
)
