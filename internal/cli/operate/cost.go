package operate

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/cost"
)

type costCmd struct {
	PerDay  int64          `placeholder:"N" help:"Notifications a day, item by item. Default: 10,000, 1,000,000 and 100,000,000 side by side."`
	Cases   bool           `help:"Only what a million cost by how and to whom: known devices, a week later, first met, single."`
	Metrics []string       `placeholder:"URL" help:"Instead of an estimate: what the process whose /metrics is there used since it started. May be repeated; they are added up."`
	Prices  string         `env:"BELFRY_PRICES" placeholder:"FILE" help:"Price list, in the form of internal/cost/prices.json. Default: list prices of us-east-1."`
	Output  display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (costCmd) Help() string {
	return `An estimate is for batches of up to a million to devices with a success in the last week. Noting a success anew, once a
week for each device, recording an unknown device, and single notifications cost more: the second table. Calls to AWS are
metered, and storage, egress and what runs all day are not.

    belfry cost --per-day 5000000
    belfry cost --metrics http://127.0.0.1:8080/metrics`
}

// Run prints an estimate or the bill of what was measured.
func (c *costCmd) Run(ctx context.Context, con *display.Console) error {
	if c.PerDay < 0 {
		return display.Usagef("--per-day: must be more than 0 (got %d)", c.PerDay)
	}
	if c.PerDay > 0 && len(c.Metrics) > 0 {
		return display.Usagef("--per-day and --metrics: give one of them")
	}
	if c.Cases && (c.PerDay > 0 || len(c.Metrics) > 0) {
		return display.Usagef("--cases and --per-day or --metrics: give one of them")
	}
	prices, err := cost.Load(c.Prices)
	if err != nil {
		return err
	}
	switch {
	case len(c.Metrics) > 0:
		return c.measured(ctx, con.Out, prices)
	case c.PerDay > 0:
		return c.print(con.Out, prices.Bill(cost.Day(c.PerDay)).For(c.PerDay))
	case c.Cases && c.Output.JSON():
		return display.PrintJSON(con.Out, prices.Cases())
	case c.Cases:
		if err := c.cases(con.Out, prices); err != nil {
			return err
		}
		return footer(con.Out, prices.Region, prices.Version)
	default:
		return c.volumes(con.Out, prices)
	}
}

func (c *costCmd) measured(ctx context.Context, w io.Writer, prices cost.Prices) error {
	var sum cost.Measured
	for _, address := range c.Metrics {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return display.Usagef("--metrics: must be a URL such as http://127.0.0.1:9090/metrics (got %q)", address)
		}
		one, err := cost.Scrape(ctx, address)
		if err != nil {
			return err
		}
		sum = sum.Plus(one)
	}
	return c.print(w, prices.Estimate(sum.Units).For(sum.Notifications))
}

func (c *costCmd) print(w io.Writer, bill cost.Bill) error {
	if c.Output.JSON() {
		return display.PrintJSON(w, bill)
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
		_, _ = fmt.Fprintf(w, "\n%s notifications: $%.3f a million, $%.9f each\n", progress.Group(bill.Notifications), bill.PerMillion,
			bill.PerMillion/1e6)
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
	if c.Output.JSON() {
		return display.PrintJSON(w, all)
	}
	_, _ = fmt.Fprintln(w, "USD per million notifications, in batches of up to a million, to devices with a success in the last week:")
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
	_, _ = fmt.Fprintln(w)
	if err := c.cases(w, prices); err != nil {
		return err
	}
	return footer(w, prices.Region, prices.Version)
}

// cases prints what a million cost by how it is sent and to whom.
func (c *costCmd) cases(w io.Writer, prices cost.Prices) error {
	_, _ = fmt.Fprint(w, "USD for the calls of a million, by how and to whom; and the least minutes that a new table makes it take:\n\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(tw, "CASE\tCALLS\tREAD UNITS\tWRITE UNITS\tNEW TABLE\tWHICH\t")
	for _, x := range prices.Cases() {
		_, _ = fmt.Fprintf(tw, "%s\t%.3f\t%s\t%s\t%.1f\t%s\t\n", x.Name, x.Calls, units(x.ReadUnits), units(x.WriteUnits), x.NewTableMinutes,
			x.Table)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	for _, x := range prices.Cases() {
		_, _ = fmt.Fprintf(w, "%s: %s\n", x.Name, x.What)
	}
	_, err := fmt.Fprintf(w, "A new on-demand table takes %s write and %s read units a second; warm it before a first million.\n",
		units(cost.NewTableWrites), units(cost.NewTableReads))
	return err
}
