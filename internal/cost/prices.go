package cost

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// Item is something that AWS bills, by service and unit: "sqs requests".
type Item string

// The items that nobody meters. Those that are metered are named by [Metered].
const (
	TableStorage  Item = "dynamodb gb_months"
	TableBackup   Item = "dynamodb backup_gb_months"
	ObjectStorage Item = "s3 gb_months"
	Egress        Item = "egress gb"
	CPU           Item = "fargate vcpu_hours"
	Memory        Item = "fargate gb_hours"
	LoadBalancer  Item = "alb hours"
	Alarms        Item = "cloudwatch alarm_months"
)

// Metered returns the item of what a meter counts.
func Metered(q awsmeter.Quantity) Item { return Item(string(q.Service) + " " + string(q.Unit)) }

// The metered items.
func metered() []Item {
	return []Item{
		Metered(awsmeter.Quantity{Service: awsmeter.SQS, Unit: awsmeter.Requests}),
		Metered(awsmeter.Quantity{Service: awsmeter.SNS, Unit: awsmeter.Requests}),
		Metered(awsmeter.Quantity{Service: awsmeter.DynamoDB, Unit: awsmeter.ReadUnits}),
		Metered(awsmeter.Quantity{Service: awsmeter.DynamoDB, Unit: awsmeter.WriteUnits}),
		Metered(awsmeter.Quantity{Service: awsmeter.S3, Unit: awsmeter.PutRequests}),
		Metered(awsmeter.Quantity{Service: awsmeter.S3, Unit: awsmeter.GetRequests}),
	}
}

// Items lists everything that can be on a bill, in the order of its lines.
func Items() []Item {
	return append(metered(), TableStorage, TableBackup, ObjectStorage, Egress, CPU, Memory, LoadBalancer, Alarms)
}

// Price is what a number of units costs.
type Price struct {
	USD    float64 `json:"usd"`
	Per    float64 `json:"per"` // units
	What   string  `json:"what"`
	Source string  `json:"source"` // page that says so
}

// Prices is a price list of one region at one date.
type Prices struct {
	Version  string         `json:"version"` // date at which it was right
	Region   string         `json:"region"`
	Currency string         `json:"currency"`
	Items    map[Item]Price `json:"items"`
}

//go:embed prices.json
var listPrices []byte

// List returns the price list that Belfry comes with: us-east-1.
func List() (Prices, error) { return parse(listPrices) }

// Load returns the price list of a file, which has the form of prices.json in
// this package; "" means [List]. Every item must have a price, and no other may.
func Load(path string) (Prices, error) {
	if path == "" {
		return List()
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator's file
	if err != nil {
		return Prices{}, fmt.Errorf("prices: %w", err)
	}
	p, err := parse(data)
	if err != nil {
		return Prices{}, fmt.Errorf("prices %s: %w", path, err)
	}
	return p, nil
}

func parse(data []byte) (Prices, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var p Prices
	if err := dec.Decode(&p); err != nil {
		return Prices{}, err
	}
	var faults []error
	if p.Version == "" || p.Region == "" {
		faults = append(faults, errors.New("version and region: are required"))
	}
	if p.Currency != "USD" {
		faults = append(faults, fmt.Errorf("currency: must be USD (got %q)", p.Currency))
	}
	for _, item := range Items() {
		price, ok := p.Items[item]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("%s: is required", item))
		case price.Per <= 0 || price.USD < 0 || math.IsInf(price.Per, 0) || math.IsInf(price.USD, 0):
			faults = append(faults, fmt.Errorf("%s: must cost 0 or more per more than 0 units (got %v per %v)", item, price.USD, price.Per))
		}
	}
	for item := range p.Items {
		if !slices.Contains(Items(), item) {
			faults = append(faults, fmt.Errorf("%s: is not known", item))
		}
	}
	return p, errors.Join(faults...)
}
