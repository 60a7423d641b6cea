package push

// The queues of the pipeline, by the names that drivers prefix or map. Each has
// a dead-letter queue, [DeadLetterQueue].
const (
	QueueEvents        = "events"            // CloudEvents from other services
	QueueNotifications = "notifications"     // tasks for fanout
	QueueHigh          = "deliveries-high"   // chunks of the high lane
	QueueBulk          = "deliveries-bulk"   // chunks of the bulk lane
	QueueReplay        = "deliveries-replay" // chunks of replayed dead letters
)

// Queues lists every source queue in the order of the flow.
func Queues() []string {
	return []string{QueueEvents, QueueNotifications, QueueHigh, QueueBulk, QueueReplay}
}

// DeliveryQueue returns the queue of a lane.
func DeliveryQueue(l Lane) string {
	switch l {
	case LaneHigh:
		return QueueHigh
	case LaneReplay:
		return QueueReplay
	case LaneBulk:
	}
	return QueueBulk
}

// DeadLetterQueue returns the dead-letter queue of a source queue.
func DeadLetterQueue(queue string) string { return queue + "-dlq" }

// Interchangeable reports whether what belongs on one queue can be handled on the
// other: the delivery queues differ in nothing but their pace.
func Interchangeable(a, b string) bool {
	return a == b || delivers(a) && delivers(b)
}

func delivers(queue string) bool {
	return queue == QueueHigh || queue == QueueBulk || queue == QueueReplay
}

// MaxReceives is after how many receives without a verdict a queue's own
// redrive takes a message away: a backstop for messages that crash workers
// before anybody can tell which recipient does it. Finding the one among 500
// takes up to 12 (docs/adr/0004); the rest is for deploys in between.
const MaxReceives = 20
