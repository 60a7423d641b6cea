package cost

// Volume is what a number of notifications a day costs, per million of them.
type Volume struct {
	PerDay int64 `json:"per_day"`
	// Calls is everything that is metered: SQS, SNS, DynamoDB and S3 requests.
	Calls   float64 `json:"calls_usd"`
	Storage float64 `json:"storage_usd"` // of ledger and pages while they are kept, with backups
	Egress  float64 `json:"egress_usd"`
	// Whole is all of that and what runs all day, by the deployment's name.
	Whole map[string]float64 `json:"whole_usd"`
}

// Volume estimates a number of notifications a day, sent as batches of up to a
// million. It must be positive.
func (p Prices) Volume(perDay int64) Volume {
	day := Day(perDay)
	bill := p.Bill(day)
	perMillion := func(usd float64) float64 { return usd / float64(perDay) * 1e6 }
	v := Volume{
		PerDay:  perDay,
		Calls:   perMillion(bill.Of(metered()...)),
		Storage: perMillion(bill.Of(TableStorage, TableBackup, ObjectStorage)),
		Egress:  perMillion(bill.Of(Egress)),
		Whole:   map[string]float64{},
	}
	for _, d := range Deployments() {
		v.Whole[d.Name] = perMillion(p.Bill(day.plus(d.Day())).USD)
	}
	return v
}

// Typical are the volumes that documents and belfry cost show.
func Typical() []int64 { return []int64{10_000, 1_000_000, 100_000_000} }
