package table

// NextStamp returns a number larger than any that this process returned before
// and, clocks being roughly right, than those of the processes before it.
func (c *Client) NextStamp() int64 {
	for {
		last := c.stamp.Load()
		next := max(last+1, c.Now().UnixMicro())
		if c.stamp.CompareAndSwap(last, next) {
			return next
		}
	}
}
