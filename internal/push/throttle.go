package push

// MaxPerSecond is the highest throttle of a batch: a hundred times FCM's default
// quota of 10,000 messages a second, so that a larger number is a slip.
const MaxPerSecond = 1_000_000
