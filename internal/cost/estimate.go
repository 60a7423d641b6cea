package cost

import "math"

// Nanodollars estimates what one notification costs on AWS, in billionths of a dollar, by the model: what
// that many recipients use from acceptance to the last outcome, with what is kept of it, and
// the egress of those that FCM took. What runs all day is no notification's. It
// is a pure function, so that sums of it are exact.
func (p Prices) Nanodollars(recipients, billable int64) int64 {
	const many = math.MaxInt32 // a batch has fewer
	u := Notification(int(min(max(recipients, 1), many)))
	u[Egress] = float64(billable) * egressBytes / gigabyte
	return int64(math.Round(p.Bill(u).USD * 1e9)) //nolint:mnd // nano
}
