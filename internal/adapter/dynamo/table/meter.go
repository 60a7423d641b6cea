package table

// Meter learns what every call cost. Implementations are safe for concurrent
// use and return at once.
type Meter interface {
	// Consumed reports one call: the operation as in AWS's API ("UpdateItem") and
	// the read and write request units that DynamoDB says it consumed, table and
	// indexes together (ConsumedCapacity, TOTAL). A failed call reports zeros; a
	// conditional write that lost reports one write unit, the least that it
	// costs, because AWS bills but does not tell it
	// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate).
	Consumed(op string, read, write float64)
}

type noMeter struct{}

func (noMeter) Consumed(string, float64, float64) {}
