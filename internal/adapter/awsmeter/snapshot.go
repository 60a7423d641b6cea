package awsmeter

// requestBytes is what SQS and SNS count as one request: "every 64 KB chunk of
// a payload is billed as one request"
// (https://aws.amazon.com/sqs/pricing/, https://aws.amazon.com/sns/pricing/).
const requestBytes = 64 << 10

// Requests64K returns how many requests SQS or SNS bills for one call whose
// messages have that many bytes together: at least 1. A batch call is one
// payload.
func Requests64K(bytes int) float64 {
	return float64(max(1, (bytes+requestBytes-1)/requestBytes))
}

// Snapshot is what a [Meter] had counted at one moment.
type Snapshot struct {
	Calls map[Operation]int64
	Units map[Quantity]float64
}

// Since returns what came between an earlier snapshot of the same meter and
// this one, without what did not change.
func (s Snapshot) Since(earlier Snapshot) Snapshot {
	d := Snapshot{Calls: map[Operation]int64{}, Units: map[Quantity]float64{}}
	for op, n := range s.Calls {
		if n -= earlier.Calls[op]; n != 0 {
			d.Calls[op] = n
		}
	}
	for q, n := range s.Units {
		if n -= earlier.Units[q]; n != 0 {
			d.Units[q] = n
		}
	}
	return d
}

// Total returns all calls to a service.
func (s Snapshot) Total(service Service) int64 {
	var total int64
	for op, n := range s.Calls {
		if op.Service == service {
			total += n
		}
	}
	return total
}
