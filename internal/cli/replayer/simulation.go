package replayer

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/visible"
)

type simulateCmd struct {
	Letters letters `embed:""`
	Chosen  act     `embed:""`
	Edits   edits   `embed:""`
	Rate    float64 `help:"Letters a second at the most; a simulation estimates the time with it."`
}

// Run simulates.
func (c *simulateCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		s, err := c.simulate(ctx, d)
		if err != nil {
			return err
		}
		return c.Letters.Output.One(con.Out, s, func() error {
			if err := printSimulation(con, &s); err != nil || s.Sends == 0 {
				return err
			}
			rate := ""
			if s.Rate > 0 {
				rate = fmt.Sprintf(" --rate %v", s.Rate)
			}
			_, err := fmt.Fprintf(con.Out, "\nuntil %s: dlq-replayer replay run --simulation %s%s%s\n",
				display.Clock(&s.ExpiresAt), s.ID, rate, d.suffix)
			return err
		})
	})
}

// simulate simulates. If the filter takes nothing, the error says what is near.
func (c *simulateCmd) simulate(ctx context.Context, d *session) (client.Simulation, error) {
	if err := c.Chosen.check(); err != nil {
		return client.Simulation{}, err
	}
	e, err := c.Edits.read()
	if err != nil {
		return client.Simulation{}, err
	}
	s, err := d.Simulate(ctx, client.SimulateRequest{Filter: c.Chosen.filter(), All: c.Chosen.All, Edits: e, Rate: c.Rate, By: whoami()})
	return s, c.Chosen.orNear(ctx, d, err)
}

func printSimulation(con *display.Console, s *client.Simulation) error {
	visible.Fields(s)
	took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Second)
	head := fmt.Sprintf("simulation %s: %s letters, %s would be sent", s.ID, progress.Group(s.Total), progress.Group(s.Sends))
	if s.Sends > 0 {
		head += fmt.Sprintf(" in about %s", max(took, time.Second))
	}
	if s.CostUSD > 0 {
		head += fmt.Sprintf(", for about $%.4f", s.CostUSD)
	}
	if _, err := fmt.Fprintf(con.Out, "%s\n\n", head); err != nil {
		return err
	}
	t := display.NewTable(
		display.Column{Name: "PREDICTED", Tone: true}, display.Column{Name: "LETTERS", Right: true}, display.Column{Name: "SENT"},
		display.Column{Name: "SUCH AS", Least: 42, Drop: 1},
	)
	for _, p := range sorted(s.Counts) {
		sends, sample := "no", ""
		if predict.Prediction(p).Sends() {
			sends = "yes"
		}
		if len(s.Samples[p]) > 0 {
			one := s.Samples[p][0]
			sample = one.Letter + because(one.Why)
		}
		t.Row(p, progress.Group(s.Counts[p]), sends, sample)
	}
	if err := t.Print(con, false, "no letters"); err != nil {
		return err
	}
	var b strings.Builder
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
	_, err := io.WriteString(con.Out, b.String())
	return err
}
