package cost

import "math"

// What the pipeline uses, by its own tests and settings. Where a number is
// measured, the test of this package compares it with where that is recorded.
const (
	// chunkRecipients is how many tokens of 163 characters fit a chunk message of
	// 60 KiB, which is one request of 64 KiB to SQS.
	chunkRecipients = 350
	// pageRecipients is the size of an upload's page (batch.Config).
	pageRecipients = 2800
	// checkpointResults is after how many results a line is saved.
	checkpointResults = 50
	// pacedWrites is what the clock adds to a chunk of more than one checkpoint: a
	// line is also saved when 100 ms have passed. Metered on the stand-ins (test/cost):
	// 4 to 6.
	pacedWrites = 5
	// hashBytes is a recipient's share of a plan.
	hashBytes = 8
	// writeUnit is what one write request unit writes.
	writeUnit = 1 << 10
	readUnit  = 4 << 10

	// lineBytes is a line's size; reading progress reads all of them.
	lineBytes = 650
	// looks is how often the progress of a notification is read while it is sent.
	looks = 30

	// ledgerBytes is what a recipient leaves in the ledger (hash, outcome, its
	// attempt's evidence), and chunkBytes what a chunk adds.
	ledgerBytes = 30
	chunkBytes  = 500
	// ledgerMonths and pageMonths are how long that stays (dynamo.DefaultRetention
	// and the bucket's lifecycle rule).
	ledgerMonths = 3
	pageMonths   = 4
	// pageBytes is a recipient's share of a page.
	pageBytes = 200

	// egressBytes is one request to FCM on the wire: a message of some 480 bytes,
	// a token of 163, and what HTTP/2, TLS and TCP add.
	egressBytes = 830
)

// What a process uses while nothing happens, each day.
const (
	// openPolls are the long polls of one process with all roles, each 20 s.
	openPolls    = 6
	pollsPerDay  = 86_400 / 20
	scrapeQueues = 10 // whose depth is asked for with every scrape
	scrapesOfDay = 86_400 / 15
	// sweepUnits is the outbox's sweep: 8 queries that find nothing.
	sweepUnits  = 4
	sweepsOfDay = 86_400 / 5
	// roundUnits are the janitor's: 8 queries that find nothing, two documents and
	// the list of replays; it also writes one, its lease. Of several processes one
	// does this, and the others read the lease.
	roundUnits  = 4 + 3
	roundsOfDay = 86_400 / 30
	// documentReads are those of the documents by which a process hears of others, a unit each: the pauses every 0.4 s, what
	// breakers are held in and who follows events every 2 s each.
	documentReads = 86_400*10/4 + 2*86_400/2
	// beatsOfDay are the documents in which a process says every 5 s how it is, a unit for each KiB: most have one.
	beatsOfDay = 86_400 / 5
)

const (
	gigabyte = 1e9
	dayHours = 24
	// monthDays makes days of what is billed by the month.
	monthDays = 30.4
)

// items by short names.
const (
	itemSQS   Item = "sqs requests"
	itemSNS   Item = "sns requests"
	itemRead  Item = "dynamodb rru"
	itemWrite Item = "dynamodb wru"
	itemPut   Item = "s3 put_requests"
	itemGet   Item = "s3 get_requests"
)

// Chunk returns what one chunk of recipients uses from planning to its closed
// line: its share of the registry's reads, plan and line, the claim, checkpoints
// with their attempts, its message and its event.
func Chunk(recipients int) Usage {
	r := float64(recipients)
	checkpoints := math.Ceil(r / checkpointResults)
	paced := 0.0
	if checkpoints > 1 {
		paced = pacedWrites
	}
	return Usage{
		itemRead:  r/2 + 1, // half a unit for each address, one for the line
		itemWrite: 1 + math.Ceil(r*hashBytes/writeUnit) + 1 + 2*checkpoints + paced,
		// Sent ten a call and received ten a call, it is the bytes that count; ten
		// are deleted by one request.
		itemSQS: 1 + 1 + 0.1,
		itemSNS: 1,
	}
}

// Notification returns what one notification of that many recipients uses until
// it is completed. More than 1,000 come as a batch, whose recipients are
// uploaded in pages.
func Notification(recipients int) Usage {
	r := float64(recipients)
	const inline = 1000
	chunks := math.Ceil(r / chunkRecipients)
	last := recipients - int(chunks-1)*chunkRecipients
	u := Chunk(chunkRecipients).times(chunks - 1).plus(Chunk(last))
	u = u.plus(Usage{
		itemWrite: 8, // accepted 3, out of the outbox and into the list of what is not finished 3, completed 2
		itemRead:  3, // its head, by each room that is not told
		itemSQS:   3, // its task: sent, received, deleted
		itemSNS:   1, // its completion
		Egress:    r * egressBytes / gigabyte,
	})
	u = u.plus(Usage{
		TableStorage: (r*ledgerBytes + chunks*chunkBytes) * ledgerMonths / gigabyte,
		TableBackup:  (r*ledgerBytes + chunks*chunkBytes) * ledgerMonths / gigabyte,
	})
	if recipients <= inline {
		return u
	}
	pages := math.Ceil(r / pageRecipients)
	return u.plus(Usage{
		itemPut:       pages,
		itemGet:       pages,
		itemSQS:       3 * pages, // a task for each
		itemWrite:     pages,     // the upload's watermark
		itemRead:      pages + looks*math.Ceil(chunks*lineBytes/readUnit),
		ObjectStorage: r * pageBytes * pageMonths / gigabyte,
	})
}

// Replayed returns what sending one dead letter again uses: the letter is
// claimed, marked as sent and learns its outcome, and it has its share of a
// chunk of replayed letters. What it costs to store it was spent before.
func Replayed() Usage {
	const (
		reads  = 3 * 1.0            // a unit each time that it is moved
		writes = 2.09 + 6.09 + 3.09 // with its indexes and a hundredth of a call's books
		reopen = 2                  // the line, with the mark of the replay
	)
	chunk := Chunk(chunkRecipients).plus(Usage{itemRead: 1, itemWrite: reopen, Egress: chunkRecipients * egressBytes / gigabyte})
	return chunk.times(1.0 / chunkRecipients).plus(Usage{itemRead: reads, itemWrite: writes})
}

// Idle returns what one process with all roles uses each day while nothing
// happens.
func Idle() Usage {
	return Usage{
		itemSQS:   openPolls*pollsPerDay + scrapeQueues*scrapesOfDay,
		itemRead:  sweepUnits*sweepsOfDay + roundUnits*roundsOfDay + documentReads,
		itemWrite: roundsOfDay + beatsOfDay,
	}
}

// Deployment is what runs all day.
type Deployment struct {
	Name         string
	Tasks        int
	VCPU, GB     float64 // of each task
	LoadBalancer bool
}

// Deployments are the two that docs/cost.md shows: everything in one small
// task, and two ingests and three dispatchers behind a load balancer.
func Deployments() []Deployment {
	return []Deployment{
		{Name: "one task", Tasks: 1, VCPU: 0.25, GB: 0.5},
		{Name: "five tasks and a load balancer", Tasks: 5, VCPU: 0.25, GB: 0.5, LoadBalancer: true},
	}
}

// alarms is how many infra/ makes: three for each of the five queues.
const alarms = 15

// Day returns what a deployment uses each day, apart from notifications.
func (d Deployment) Day() Usage {
	n := float64(d.Tasks)
	u := Idle().times(n).plus(Usage{CPU: n * d.VCPU * dayHours, Memory: n * d.GB * dayHours, Alarms: alarms / monthDays})
	if d.LoadBalancer {
		u[LoadBalancer] = dayHours
	}
	return u
}

// Day returns what a day of that many notifications uses: batches of up to a
// million recipients each.
func Day(notifications int64) Usage {
	const most = 1_000_000
	whole, rest := notifications/most, notifications%most
	u := Notification(most).times(float64(whole))
	if rest > 0 {
		u = u.plus(Notification(int(rest)))
	}
	return u
}
