package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// pauseScope is what a pause stops, as flags say it.
type pauseScope struct {
	Everything bool   `group:"which" help:"All tenants."`
	Tenant     string `group:"which" placeholder:"NAME" help:"A tenant. With --app it may be left out: your own."`
	App        string `group:"which" placeholder:"NAME" help:"An app of the tenant."`
	Lane       string `group:"which" placeholder:"LANE" help:"A lane: high, bulk or replay. Of all tenants, or with --tenant or --app of one."`
	Label      string `group:"which" placeholder:"NAME=VALUE" help:"What has a label, of a tenant or an app: your own if neither is named. NAME alone is any value."`
}

// request returns the pause that the flags name, and whether they name one.
func (s *pauseScope) request() (req client.PauseRequest, named bool, err error) {
	req = client.PauseRequest{Tenant: s.Tenant, App: s.App, Lane: client.Lane(s.Lane), Label: s.Label}
	switch {
	case s.Everything && s.Tenant+s.App != "":
		return req, false, display.Usagef("--everything is of all tenants: leave out --tenant and --app")
	case s.Everything && s.Lane+s.Label != "":
		return req, false, display.Usagef("--everything is every lane and label: leave out --lane and --label, or --everything")
	case s.Lane != "" && s.Label != "":
		return req, false, display.Usagef("a pause is of a lane or of a label: leave out --lane or --label")
	case s.Everything:
		req.Scope = client.PauseEverything
	case s.Lane != "":
		req.Scope = client.PauseLane
	case s.Label != "":
		req.Scope = client.PauseLabel
	case s.App != "":
		req.Scope = client.PauseApp
	case s.Tenant != "":
		req.Scope = client.PauseTenant
	default:
		return req, false, nil
	}
	return req, true, nil
}

// is reports whether p is a pause of that scope. Without a tenant, an app and a label are the caller's, and so of every
// tenant whose pauses the caller sees.
func (s *pauseScope) is(req *client.PauseRequest, p *client.Pause) bool {
	return p.Scope == req.Scope && p.App == s.App && p.Lane == req.Lane && p.Label == s.Label &&
		(p.Tenant == s.Tenant || s.Tenant == "" && s.App+s.Label != "")
}

type pauseCmd struct {
	Server server `embed:""`
	pauseScope
	Reason string         `help:"Why, for people: it is shown wherever work waits."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (pauseCmd) Help() string {
	return `Within a second no process starts another request to FCM for it. What waits loses no attempt, and says so: belfry
notification get, belfry explain. Without flags it lists the pauses that stand:

    belfry pause --everything --reason "FCM credential leaked"
    belfry pause --tenant acme --app shop
    belfry pause --lane bulk
    belfry pause --tenant acme --label campaign=spring
    belfry pause
    belfry resume --everything`
}

// Run pauses, or lists the pauses.
func (c *pauseCmd) Run(ctx context.Context, con *display.Console) error {
	req, named, err := c.request()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if !named {
		if c.Reason != "" {
			return display.Usagef("say what to pause: --everything, --tenant, --app, --lane or --label")
		}
		all, err := api.Pauses(ctx)
		if err != nil {
			return err
		}
		return printPauses(con, &c.Output, all)
	}
	req.Reason = c.Reason
	p, err := api.AddPause(ctx, req)
	if err != nil {
		return err
	}
	return printPauses(con, &c.Output, []client.Pause{p})
}

func printPauses(con *display.Console, out *display.Output, all []client.Pause) error {
	table, enc := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "PAUSED", Least: 10}, display.Column{Name: "SINCE", Wide: true},
		display.Column{Name: "AGE", Drop: 2}, display.Column{Name: "BY", Least: 8, Drop: 1}, display.Column{Name: "REASON", Least: 10},
	), json.NewEncoder(con.Out)
	for i := range all {
		p := &all[i]
		if out.JSON() {
			if err := enc.Encode(p); err != nil {
				return err
			}
			continue
		}
		table.Row(p.ID, p.What, display.Clock(&p.Since), con.Age(&p.Since), p.By, p.Reason)
	}
	if out.JSON() {
		return nil
	}
	return table.Print(con, out.Wide(), "nothing is paused")
}

type resumeAllCmd struct {
	Server server `embed:""`
	pauseScope
	ID string `arg:"" optional:"" help:"A pause, as belfry pause lists them."`
}

// Help implements kong's HelpProvider.
func (resumeAllCmd) Help() string {
	return `It lifts the pause of that scope, or the one with that id; others that stop the same stay. Within a second what waits goes
on. Notifications and batches that are paused themselves have commands of their own: belfry notification resume.`
}

// Run lifts the pause.
func (c *resumeAllCmd) Run(ctx context.Context, con *display.Console) error {
	req, named, err := c.request()
	switch {
	case err != nil:
		return err
	case named == (c.ID != ""):
		return display.Usagef("say which: --everything, --tenant, --app, --lane, --label, or a pause's id")
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	all, err := api.Pauses(ctx)
	if err != nil {
		return err
	}
	lifted := 0
	for i := range all {
		p := &all[i]
		if p.ID != c.ID && (!named || !c.is(&req, p)) {
			continue
		}
		if err := api.LiftPause(ctx, p.ID); err != nil {
			return err
		}
		lifted++
		if _, err := fmt.Fprintf(con.Out, "%s goes on; it was paused since %s\n", p.What, display.Clock(&p.Since)); err != nil {
			return err
		}
	}
	if lifted == 0 {
		what := "there is no pause " + c.ID
		if named {
			what = c.what() + " is not paused"
		}
		return display.Usagef("%s; %s", what, pausedNow(all))
	}
	return nil
}

// what says in words what the flags name.
func (s *pauseScope) what() string {
	whole := "everything"
	switch {
	case s.App != "" && s.Tenant == "":
		whole = "app " + s.App
	case s.App != "":
		whole = "app " + s.Tenant + "/" + s.App
	case s.Tenant != "":
		whole = "tenant " + s.Tenant
	}
	part := "label " + s.Label
	switch {
	case s.Lane+s.Label == "":
		return whole
	case s.Lane != "":
		part = "lane " + s.Lane
	}
	if s.Tenant+s.App == "" {
		return part
	}
	return part + " of " + whole
}

// pausedNow says what is paused.
func pausedNow(all []client.Pause) string {
	const most = 10
	if len(all) == 0 {
		return "nothing is paused"
	}
	var names []string
	for i := range all[:min(len(all), most)] {
		names = append(names, all[i].What)
	}
	s := "paused: " + strings.Join(names, ", ")
	if more := len(all) - most; more > 0 {
		s += fmt.Sprintf(" and %d more (belfry pause lists them)", more)
	}
	return s
}
