package cost

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

func list(t *testing.T) Prices {
	t.Helper()
	p, err := List()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	b := list(t).Estimate(awsmeter.Snapshot{
		Calls: map[awsmeter.Operation]int64{{Service: awsmeter.STS, Name: "GetCallerIdentity"}: 9},
		Units: map[awsmeter.Quantity]float64{
			{Service: awsmeter.SQS, Unit: awsmeter.Requests}:        2_000_000,
			{Service: awsmeter.DynamoDB, Unit: awsmeter.WriteUnits}: 1_000_000,
			{Service: awsmeter.S3, Unit: awsmeter.PutRequests}:      1000,
		},
	}).For(4_000_000)
	want := []Line{{itemSQS, 2_000_000, 0.8}, {itemWrite, 1_000_000, 0.625}, {itemPut, 1000, 0.005}}
	if d := cmp.Diff(want, b.Lines); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	near(t, "sum", b.USD, 1.43)
	near(t, "per million", b.PerMillion, 0.3575)
	if none := b.For(0); none.PerMillion != 0 {
		t.Errorf("nobody was notified at %v a million", none.PerMillion)
	}
}

// Every unit that a meter can count has a price.
func TestEveryUnitHasAPrice(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	awsmeter.New(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	prices, seen := list(t), 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			item := Metered(awsmeter.Quantity{Service: awsmeter.Service(label(m, "service")), Unit: awsmeter.Unit(label(m, "unit"))})
			if _, ok := prices.Items[item]; !ok {
				t.Errorf("%s has no price", item)
			}
			seen++
		}
	}
	if seen != len(metered()) {
		t.Errorf("%d units are metered, %d are known here", seen, len(metered()))
	}
	for item, price := range prices.Items {
		if !strings.HasPrefix(price.Source, "https://aws.amazon.com/") || price.What == "" {
			t.Errorf("%s says not what it is or where its price is from", item)
		}
	}
}

// A bill is additive: two bills together cost what one of everything costs.
func TestBillAdds(t *testing.T) {
	t.Parallel()
	p := list(t)
	usage := rapid.MapOf(rapid.SampledFrom(Items()), rapid.Float64Range(0, 1e12))
	rapid.Check(t, func(t *rapid.T) {
		a, b := Usage(usage.Draw(t, "a")), Usage(usage.Draw(t, "b"))
		apart, together := p.Bill(a).USD+p.Bill(b).USD, p.Bill(a.plus(b)).USD
		if math.Abs(apart-together) > 1e-9*math.Max(1, apart) {
			t.Fatalf("apart %v, together %v", apart, together)
		}
		if double := p.Bill(a.times(2)).USD; math.Abs(double-2*p.Bill(a).USD) > 1e-9*math.Max(1, double) {
			t.Fatalf("twice as much costs %v, not twice %v", double, p.Bill(a).USD)
		}
	})
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole := string(listPrices)
	good := strings.Replace(whole, `"region": "us-east-1"`, `"region": "eu-central-1"`, 1)
	if p, err := Load(write("good.json", good)); err != nil || p.Region != "eu-central-1" {
		t.Errorf("region %q, %v", p.Region, err)
	}
	if p, err := Load(""); err != nil || p.Region != "us-east-1" {
		t.Errorf("by default region %q, %v", p.Region, err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"no-file", "", "no such file"},
		{"syntax", "{", "unexpected EOF"},
		{"unknown", strings.Replace(whole, `"sqs requests"`, `"sqs letters"`, 1), "sqs requests: is required\nsqs letters: is not known"},
		{"negative", strings.Replace(whole, `"usd": 0.40`, `"usd": -1`, 1), "sqs requests: must cost 0 or more"},
		{"no units", strings.Replace(whole, `"per": 1000000`, `"per": 0`, 1), "sqs requests: must cost"},
		{"euros", strings.Replace(whole, `"USD"`, `"EUR"`, 1), "currency: must be USD"},
		{"no date", strings.Replace(whole, `"2026-11-01"`, `""`, 1), "version and region"},
		{"field", strings.Replace(whole, `"what"`, `"wot"`, 1), "wot"},
	} {
		path := filepath.Join(dir, "none")
		if c.text != "" {
			path = write(c.name, c.text)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestReadMetrics(t *testing.T) {
	t.Parallel()
	const text = `# TYPE belfry_aws_units_total counter
belfry_aws_units_total{service="sqs",unit="requests"} 40
belfry_aws_units_total{service="dynamodb",unit="wru"} 12.5
# TYPE belfry_outcomes_total counter
belfry_outcomes_total{class="sent",code="sent"} 95
belfry_outcomes_total{class="permanent",code="fcm.unregistered"} 5
other 7
`
	m, err := ReadMetrics(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	m = m.Plus(m)
	want := map[awsmeter.Quantity]float64{
		{Service: awsmeter.SQS, Unit: awsmeter.Requests}: 80, {Service: awsmeter.DynamoDB, Unit: awsmeter.WriteUnits}: 25,
	}
	if d := cmp.Diff(want, m.Units.Units); d != "" || m.Notifications != 200 {
		t.Errorf("%d notifications, units (-want +got):\n%s", m.Notifications, d)
	}
	if _, err := ReadMetrics(strings.NewReader("<html>")); err == nil {
		t.Error("a page is taken for metrics")
	}
}

func FuzzReadMetrics(f *testing.F) {
	f.Add("belfry_aws_units_total{service=\"sqs\",unit=\"requests\"} 40\n")
	f.Add("belfry_outcomes_total 1e300\n")
	f.Add("a{b=\"c")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ReadMetrics(strings.NewReader(text))
		if err == nil && m.Units.Units == nil {
			t.Error("no units and no error")
		}
	})
}
