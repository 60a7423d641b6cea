package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/replay"
)

type simulateCmd struct {
	Letters letters `embed:""`
	Chosen  act     `embed:""`
	Edits   edits   `embed:""`
	Rate    float64 `help:"Letters a second at the most; a simulation estimates the time with it."`
}

// Run simulates.
func (c *simulateCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		s, err := c.simulate(ctx, d)
		if err != nil {
			return err
		}
		return c.Letters.Output.one(con.out, s, func() error {
			if err := printSimulation(con.out, &s); err != nil || s.Sends == 0 {
				return err
			}
			rate := ""
			if s.Rate > 0 {
				rate = fmt.Sprintf(" --rate %v", s.Rate)
			}
			_, err := fmt.Fprintf(con.out, "\nuntil %s: dlq-replayer replay run --simulation %s%s --canary 1%% --stop-if-refail 20%%%s\n", clock(&s.ExpiresAt), s.ID, rate, d.suffix)
			return err
		})
	})
}

func (c *simulateCmd) simulate(ctx context.Context, d *desk) (client.Simulation, error) {
	if err := c.Chosen.check(); err != nil {
		return client.Simulation{}, err
	}
	e, err := c.Edits.read()
	if err != nil {
		return client.Simulation{}, err
	}
	return d.Simulate(ctx, client.SimulateRequest{Filter: c.Chosen.filter(), All: c.Chosen.All, Edits: e, Rate: c.Rate, By: whoami()})
}

func printSimulation(out io.Writer, s *client.Simulation) error {
	var b strings.Builder
	took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(&b, "simulation %s: %s letters, %s would be sent", s.ID, progress.Group(s.Total), progress.Group(s.Sends))
	if s.Sends > 0 {
		fmt.Fprintf(&b, " in about %s", max(took, time.Second))
	}
	if s.CostUSD > 0 {
		fmt.Fprintf(&b, ", for about $%.4f", s.CostUSD)
	}
	b.WriteString("\n\n")
	err := table(&b, "PREDICTED\tLETTERS\tSENT\tSUCH AS", func(w io.Writer) {
		for _, p := range sorted(s.Counts) {
			sends, sample := "no", ""
			if replay.Prediction(p).Sends() {
				sends = "yes"
			}
			if len(s.Samples[p]) > 0 {
				one := s.Samples[p][0]
				sample = one.Letter + because(one.Why)
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p, progress.Group(s.Counts[p]), sends, sample)
		}
	})
	if s.PossibleDuplicates > 0 {
		fmt.Fprintf(&b, "\n%s of them may have arrived before; devices replace the earlier copy\n", progress.Group(s.PossibleDuplicates))
	}
	if s.Unwatched > 0 {
		fmt.Fprintf(&b, "\n%s of them are whole messages: what becomes of those is not watched, neither by a canary nor by --stop-if-refail\n",
			progress.Group(s.Unwatched))
	}
	if len(s.MessageAfter) > 0 {
		fmt.Fprintf(&b, "\na message before\n  %s\nand after the patch\n  %s\n", indented(s.MessageBefore), indented(s.MessageAfter))
	}
	if err == nil {
		_, err = io.WriteString(out, b.String())
	}
	return err
}
