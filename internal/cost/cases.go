package cost

import "github.com/belfry-push/belfry/internal/push"

// What a device adds to the chunk that it is in, in request units; measured by
// the DynamoDB driver's tests (docs/dynamodb.md).
const (
	// renewReads and renewWrites note a success anew, which is done when the one
	// that the registry has is older than [push.SuccessGrain].
	renewReads, renewWrites = 1, 1
	// recordReads and recordWrites make a device of a token that the registry
	// does not know, with its success: one item.
	recordReads, recordWrites = 0, 1
)

// What a new on-demand table takes a second, until it has grown with its traffic
// or was warmed
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html).
const (
	NewTableWrites = 4_000
	NewTableReads  = 12_000
)

const million = 1_000_000

// Case is a way to send a number of notifications that costs otherwise than the
// others.
type Case struct {
	Name string // for programs: known, weekly, first, single
	What string // for people
	// Usage is all that is metered.
	Usage Usage
	// Table is the one, without prefix, that is written most, or read most, and
	// Writes and Reads are what it gets.
	Table         string
	Writes, Reads float64
}

// Cases returns the cases of a million notifications, from the cheapest.
func Cases() []Case { return CasesOf(million) }

// CasesOf returns the cases of a number of notifications, at least 1, in the
// order of [Cases].
func CasesOf(notifications int) []Case {
	n := float64(notifications)
	batch := Notification(notifications)
	renew := Usage{itemRead: renewReads, itemWrite: renewWrites}.times(n)
	record := Usage{itemRead: recordReads, itemWrite: recordWrites}.times(n)
	const lookup = 0.5 // of every address, known or not
	return []Case{
		{
			Name: "known", What: "one batch, to devices with a success in the last " + week(),
			Usage: batch, Table: "devices", Reads: lookup * n,
		},
		{
			Name: "weekly", What: "one batch, to devices whose last success is older: it is noted anew",
			Usage: batch.plus(renew), Table: "devices", Writes: renewWrites * n, Reads: (lookup + renewReads) * n,
		},
		{
			Name: "first", What: "one batch, to devices that the registry does not know: they are recorded, with their success",
			Usage: batch.plus(record), Table: "devices",
			Writes: recordWrites * n, Reads: (lookup + recordReads) * n,
		},
		{
			Name: "single", What: "as many notifications to one known device each",
			Usage: Notification(1).times(n), Table: "chunks", Writes: Chunk(1)[itemWrite] * n, Reads: n,
		},
	}
}

// week is push.SuccessGrain in words.
func week() string {
	const hoursOfWeek = 7 * 24
	if push.SuccessGrain.Hours() == hoursOfWeek {
		return "week"
	}
	return push.SuccessGrain.String()
}

// NewTableMinutes is how long a new on-demand table makes it take at
// least, if nothing else bounds it.
func (c Case) NewTableMinutes() float64 {
	const secondsOfMinute = 60
	return max(c.Writes/NewTableWrites, c.Reads/NewTableReads) / secondsOfMinute
}

// CaseCost is what a [Case] costs.
type CaseCost struct {
	Name            string  `json:"name"`
	What            string  `json:"what"`
	Calls           float64 `json:"calls_usd"` // everything that is metered, of a million
	ReadUnits       float64 `json:"read_units"`
	WriteUnits      float64 `json:"write_units"`
	NewTableMinutes float64 `json:"new_table_minutes"`
	Table           string  `json:"table"` // which bounds it
}

// Cases returns what each case costs.
func (p Prices) Cases() []CaseCost {
	var all []CaseCost
	for _, c := range Cases() {
		all = append(all, CaseCost{
			Name: c.Name, What: c.What, Calls: p.Bill(c.Usage).Of(metered()...), Table: c.Table,
			ReadUnits: c.Usage[itemRead], WriteUnits: c.Usage[itemWrite], NewTableMinutes: c.NewTableMinutes(),
		})
	}
	return all
}
