package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/cost"
)

type costCmd struct {
	PerDay  int64    `placeholder:"N" help:"Notifications a day, item by item. Default: 10,000, 1,000,000 and 100,000,000 side by side."`
	Metrics []string `placeholder:"URL" help:"Instead of an estimate: what the process whose /metrics is there used since it started. May be repeated; they are added up."`
	Prices  string   `env:"BELFRY_PRICES" placeholder:"FILE" help:"Price list, in the form of internal/cost/prices.json. Default: list prices of us-east-1."`
	Output  output   `embed:""`
}

// Help implements kong's HelpProvider.
func (costCmd) Help() string {
	return `An estimate is for batches of up to a million; docs/cost.md has the formula and the traps. Calls to AWS are metered, and storage, egress and what runs all day are not.

    belfry cost --per-day 5000000
    belfry cost --metrics http://127.0.0.1:8080/metrics`
}

// Run prints an estimate or the bill of what was measured.
func (c *costCmd) Run(ctx context.Context, con *console) error {
	if c.PerDay < 0 {
		return usagef("--per-day: must be more than 0 (got %d)", c.PerDay)
	}
	if c.PerDay > 0 && len(c.Metrics) > 0 {
		return usagef("--per-day and --metrics: give one of them")
	}
	prices, err := cost.Load(c.Prices)
	if err != nil {
		return err
	}
	switch {
	case len(c.Metrics) > 0:
		return c.measured(ctx, con.out, prices)
	case c.PerDay > 0:
		return c.print(con.out, prices.Bill(cost.Day(c.PerDay)).For(c.PerDay))
	default:
		return c.volumes(con.out, prices)
	}
}

func (c *costCmd) measured(ctx context.Context, w io.Writer, prices cost.Prices) error {
	var sum cost.Measured
	for _, address := range c.Metrics {
		one, err := scrape(ctx, address)
		if err != nil {
			return err
		}
		sum = sum.Plus(one)
	}
	return c.print(w, prices.Estimate(sum.Units).For(sum.Notifications))
}

// scrapeTimeout is that of one process: each asks SQS for the depth of its
// queues first.
const scrapeTimeout = 15 * time.Second

func scrape(ctx context.Context, address string) (cost.Measured, error) {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return cost.Measured{}, usagef("--metrics: must be a URL such as http://127.0.0.1:9090/metrics (got %q)", address)
	}
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return cost.Measured{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return cost.Measured{}, fmt.Errorf("%s: %w", address, failure.Err) // it is not the server of --api
	}
	if err != nil {
		return cost.Measured{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return cost.Measured{}, fmt.Errorf("%s answered %s", address, resp.Status)
	}
	const most = 64 << 20
	m, err := cost.ReadMetrics(io.LimitReader(resp.Body, most))
	if err != nil {
		return cost.Measured{}, fmt.Errorf("%s: %w", address, err)
	}
	return m, nil
}

func (c *costCmd) print(w io.Writer, bill cost.Bill) error {
	if c.Output.json() {
		return printJSON(w, bill)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(tw, "ITEM\tUNITS\tUSD\t")
	for _, l := range bill.Lines {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%.6f\t\n", l.Item, units(l.Quantity), l.USD)
	}
	_, _ = fmt.Fprintf(tw, "sum\t\t%.6f\t\n", bill.USD)
	if err := tw.Flush(); err != nil {
		return err
	}
	if bill.Notifications > 0 {
		_, _ = fmt.Fprintf(w, "\n%s notifications: $%.3f a million, $%.9f each\n", progress.Group(bill.Notifications), bill.PerMillion, bill.PerMillion/1e6)
	}
	return footer(w, bill.Region, bill.Prices)
}

func units(n float64) string {
	const few = 100 // below which fractions matter
	if n < few {
		return fmt.Sprintf("%.3f", n)
	}
	return progress.Group(int64(n + 0.5))
}

func footer(w io.Writer, region, version string) error {
	_, err := fmt.Fprintf(w, "List prices of %s, %s, without free tiers.\n", region, version)
	return err
}

func (c *costCmd) volumes(w io.Writer, prices cost.Prices) error {
	var all []cost.Volume
	for _, n := range cost.Typical() {
		all = append(all, prices.Volume(n))
	}
	if c.Output.json() {
		return printJSON(w, all)
	}
	_, _ = fmt.Fprintln(w, "USD per million notifications, in batches of up to a million:")
	_, _ = fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(tw, "A DAY\tCALLS\tSTORAGE\tEGRESS\t")
	for _, d := range cost.Deployments() {
		_, _ = fmt.Fprintf(tw, "ALL, %s\t", d.Name)
	}
	_, _ = fmt.Fprintln(tw)
	for _, v := range all {
		_, _ = fmt.Fprintf(tw, "%s\t%.3f\t%.3f\t%.3f\t", progress.Group(v.PerDay), v.Calls, v.Storage, v.Egress)
		for _, d := range cost.Deployments() {
			_, _ = fmt.Fprintf(tw, "%.2f\t", v.Whole[d.Name])
		}
		_, _ = fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return footer(w, prices.Region, prices.Version)
}
