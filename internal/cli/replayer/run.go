package replayer

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/replay"
)

type replayRunCmd struct {
	Simulate     simulateCmd `embed:""`
	Simulation   string      `placeholder:"ID" help:"Send the set of this simulation, which is at most an hour old."`
	Canary       *share      `placeholder:"SHARE" help:"Share that is sent first, such as 1%; the rest follows when its outcomes are known. 0 sends none. Default: 1%, at least 10 letters and at most half."`
	StopIfRefail *share      `placeholder:"SHARE" help:"Stop when more than this share failed again; 0 never stops. Default: 20%."`
	AtOnce       bool        `help:"Send everything as fast as it goes: no canary, and no stop unless --stop-if-refail is given."`
	Max          int64       `placeholder:"N" help:"Send so many at most."`
	Yes          bool        `help:"Do not ask."`
	Approval     string      `placeholder:"ID" help:"A second person's approval, where the tenant's settings ask for one."`
}

// Help implements kong's HelpProvider.
func (replayRunCmd) Help() string {
	return fmt.Sprintf(`With neither --simulation nor --yes it simulates, shows what it found, and asks.

It is careful: %v %% of the letters go first, at least %d and at most half of them. When the outcomes of all of these are known
the rest follows, and it stops by itself as soon as more than %v %% of the outcomes say that a letter failed again. Of 100,000
letters 1,000 go first, and with 201 failures 99,000 stay where they are; of 50, 10 go first, and 3 failures stop it. What a
stopped replay has not sent is parked as before.

    dlq-replayer replay run --fingerprint F                                  # careful
    dlq-replayer replay run --fingerprint F --canary 5%% --stop-if-refail 2%%
    dlq-replayer replay run --fingerprint F --at-once                        # all of it now, whatever comes of it
    dlq-replayer replay run --code fcm.unavailable --rate 200 --expire-after 1h --set notification.title="Sorry, late"`,
		100*replay.CarefulCanary, replay.CarefulLeast, 100*replay.CarefulStop)
}

// Run starts a replay and follows it.
func (c *replayRunCmd) Run(ctx context.Context, con *display.Console) error {
	if c.AtOnce && c.Canary != nil && *c.Canary > 0 {
		return display.Usagef("--at-once and --canary: all at once is without a canary; give one of them")
	}
	if c.Simulation != "" && (c.Simulate.Chosen.given() || c.Simulate.Edits.given()) {
		return display.Usagef("--simulation: its letters and edits are what was simulated; leave out the filter, --all and the edits, or " +
			"leave out --simulation to simulate anew")
	}
	return c.Simulate.Letters.with(ctx, con, func(d *session) error {
		s, err := c.simulation(ctx, con, d)
		if err != nil {
			return err
		}
		if err := mentionOthers(ctx, con, d); err != nil {
			return err
		}
		run, err := d.Approved(c.Approval).StartReplay(ctx, c.request(&s))
		if err != nil {
			return missing("simulation", s.ID, err)
		}
		return follow(ctx, con, d, run.ID, c.Simulate.Letters.Output)
	})
}

// simulation returns what is to be sent: the simulation that was named, or a new one that
// was agreed to.
func (c *replayRunCmd) simulation(ctx context.Context, con *display.Console, d *session) (client.Simulation, error) {
	if c.Simulation != "" {
		s, err := d.Simulation(ctx, c.Simulation)
		if err == nil && s.Sends == 0 {
			err = wouldSendNothing(&s)
		}
		return s, missing("simulation", c.Simulation, err)
	}
	s, err := c.Simulate.simulate(ctx, d)
	if err != nil {
		return s, err
	}
	if err := printSimulation(con.ToErr(), &s); err != nil {
		return s, err
	}
	if s.Sends == 0 {
		return s, wouldSendNothing(&s)
	}
	if !c.Yes && !con.Confirm(fmt.Sprintf("Send %s letters%s?", progress.Group(c.sends(&s)), c.manner(&s))) {
		return s, fmt.Errorf("nothing was sent; --simulation %s sends that set within the hour", s.ID)
	}
	return s, nil
}

// sends is how many letters would be sent.
func (c *replayRunCmd) sends(s *client.Simulation) int64 {
	if c.Max > 0 {
		return min(c.Max, s.Sends)
	}
	return s.Sends
}

// options are what was chosen, and the careful ones where nothing was.
func (c *replayRunCmd) options(s *client.Simulation) (canary, stop float64) {
	if !c.AtOnce {
		careful := replay.Careful(c.sends(s))
		canary, stop = careful.Canary, careful.StopIfRefail
	}
	if c.Canary != nil {
		canary = float64(*c.Canary)
	}
	if c.StopIfRefail != nil {
		stop = float64(*c.StopIfRefail)
	}
	return canary, stop
}

// manner says in the question how it is gone about.
func (c *replayRunCmd) manner(s *client.Simulation) string {
	canary, stop := c.options(s)
	text := ", all at once"
	if canary > 0 {
		text = fmt.Sprintf(", about %s of them first", progress.Group(max(int64(canary*float64(c.sends(s))+0.5), 1)))
	}
	if stop > 0 && s.Unwatched < s.Sends {
		text += fmt.Sprintf(", stopping when more than %v %% failed again", 100*stop)
	}
	return text
}

// request says everything, whatever the server's own defaults are.
func (c *replayRunCmd) request(s *client.Simulation) client.ReplayRequest {
	canary, stop := c.options(s)
	if canary > 0 && stop == 0 {
		stop = 1 // more than all never fail: in the request, 0 would ask for the default
	}
	return client.ReplayRequest{
		Simulation: s.ID, Canary: canary, StopIfRefail: stop, AtOnce: canary == 0, Rate: c.Simulate.Rate, Max: c.Max, By: whoami(),
	}
}
