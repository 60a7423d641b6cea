package quota

import (
	"strconv"
	"time"
)

// The fields are structured ones (RFC 9651) of draft-ietf-httpapi-ratelimit-headers-10: lists of strings, the names of
// policies, with parameters. Of a policy q is the quota, w its window in seconds, and qu what it counts, if that is not
// requests. Of a limit r is what is left, and t in how many seconds all of it is there again.

// policyField returns RateLimit-Policy, "" without a quota.
func policyField(g *gate) string {
	var b []byte
	for p := range g.all() {
		b = open(b, p)
		b = append(b, ";q="...)
		b = strconv.AppendInt(b, p.limit, 10)
		if p.window > 0 {
			b = append(b, ";w="...)
			b = strconv.AppendInt(b, int64(p.window/time.Second), 10)
		}
		if u := p.unit(); u != "requests" {
			b = append(b, `;qu="`...)
			b = append(append(b, u...), '"')
		}
	}
	return string(b)
}

// limitField returns RateLimit as it stands.
func limitField(g *gate, now time.Time) string {
	b := make([]byte, 0, 256)
	for p := range g.all() {
		left := max(0, min(p.bucket.Standing().Remaining, p.limit))
		b = open(b, p)
		b = append(b, ";r="...)
		b = strconv.AppendInt(b, left, 10)
		if full := p.full(left, now); full > 0 {
			b = append(b, ";t="...)
			b = strconv.AppendInt(b, int64((full+time.Second-1)/time.Second), 10)
		}
	}
	return string(b)
}

// open begins an item of a list.
func open(b []byte, p *policy) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(b, '"')
	return append(append(b, p.label...), '"')
}

// all goes through the quotas of the gate.
func (g *gate) all() func(yield func(*policy) bool) {
	return func(yield func(*policy) bool) {
		for _, some := range [][]*policy{g.requests, g.work} {
			for _, p := range some {
				if !yield(p) {
					return
				}
			}
		}
	}
}
