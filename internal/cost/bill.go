package cost

import "github.com/belfry-push/belfry/internal/adapter/awsmeter"

// Usage is how many units of each item were or will be used.
type Usage map[Item]float64

// Of returns what a meter counted.
func Of(units awsmeter.Snapshot) Usage {
	u := Usage{}
	for q, n := range units.Units {
		u[Metered(q)] += n
	}
	return u
}

// plus returns the sum of both.
func (u Usage) plus(v Usage) Usage {
	sum := Usage{}
	for _, part := range []Usage{u, v} {
		for item, n := range part {
			sum[item] += n
		}
	}
	return sum
}

// times returns n times as much.
func (u Usage) times(n float64) Usage {
	all := Usage{}
	for item, x := range u {
		all[item] = x * n
	}
	return all
}

// Line is one item of a bill.
type Line struct {
	Item     Item    `json:"item"`
	Quantity float64 `json:"quantity"`
	USD      float64 `json:"usd"`
}

// Bill is what usage costs.
type Bill struct {
	Prices string  `json:"prices"` // version of the price list
	Region string  `json:"region"`
	Lines  []Line  `json:"lines"` // items that were used, in the order of [Items]
	USD    float64 `json:"usd"`
	// Notifications is how many it was for, and PerMillion the cost of a million
	// like them; 0 where nobody said.
	Notifications int64   `json:"notifications,omitempty"`
	PerMillion    float64 `json:"per_million_usd,omitempty"`
}

// Estimate returns the bill of what a meter counted.
func (p Prices) Estimate(units awsmeter.Snapshot) Bill { return p.Bill(Of(units)) }

// Bill returns what usage costs. Items that no price list has are left out;
// there are none among those of this package.
func (p Prices) Bill(u Usage) Bill {
	b := Bill{Prices: p.Version, Region: p.Region, Lines: []Line{}}
	for _, item := range Items() {
		n := u[item]
		if n == 0 {
			continue
		}
		price := p.Items[item]
		line := Line{Item: item, Quantity: n, USD: n / price.Per * price.USD}
		b.Lines = append(b.Lines, line)
		b.USD += line.USD
	}
	return b
}

// For returns the bill with how many notifications it was for.
func (b Bill) For(notifications int64) Bill {
	b.Notifications, b.PerMillion = notifications, 0
	if notifications > 0 {
		b.PerMillion = b.USD / float64(notifications) * 1e6
	}
	return b
}

// Of returns the part of the bill that is for these items.
func (b Bill) Of(items ...Item) float64 {
	var usd float64
	for _, l := range b.Lines {
		for _, item := range items {
			if l.Item == item {
				usd += l.USD
			}
		}
	}
	return usd
}
