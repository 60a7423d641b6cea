package remote

import (
	"context"
	"encoding/json"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

// listCmd lists and finds notifications and batches.
type listCmd struct {
	Server server         `embed:""`
	Label  []string       `group:"which" sep:"none" placeholder:"KEY[=VALUE]" help:"With this label; may be repeated, then all must be there."`
	State  []client.State `group:"which" placeholder:"STATE" help:"In this state, such as sending or held; several with commas."`
	Since  string         `group:"which" placeholder:"TIME" help:"Accepted then or later: an age such as 90m or 3d, a day, or a time such as 2026-11-01T15:04:05Z."`
	Until  string         `group:"which" placeholder:"TIME" help:"Accepted before that."`
	Sender string         `group:"which" placeholder:"NAME" help:"Sent by this one, as the list shows it."`
	App    string         `group:"which" placeholder:"NAME" help:"Of this app; default is the one of those that name none."`
	Title  string         `group:"which" placeholder:"TEXT" help:"With this text in the title, in capitals or not."`
	Limit  int            `default:"20" help:"How many; 0 for all."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (listCmd) Help() string {
	return `What is given must all hold. SENDER is key: and the first 8 digits of the API key's SHA-256, anonymous where no key is
needed, or the source of an event:

    belfry notification list --since 2h --state sending,held
    belfry notification list --title "flash sale" --label campaign=autumn
    belfry notification list --sender /shop/orders`
}

// maxPage is the largest page that is asked for.
const maxPage = 1000

// filter returns what the flags ask for.
func (c *listCmd) filter(con *display.Console) (client.NotificationFilter, error) {
	f := client.NotificationFilter{
		Labels: c.Label, States: c.State, Sender: c.Sender, App: c.App, Title: c.Title, PageSize: min(c.Limit, maxPage),
	}
	if c.Limit < 0 {
		return f, display.Usagef("--limit: must not be negative (got %d)", c.Limit)
	}
	var err error
	if c.Since != "" {
		if f.Since, err = con.Moment(c.Since); err != nil {
			return f, display.Usagef("--since: %v", err)
		}
	}
	if c.Until != "" {
		if f.Until, err = con.Moment(c.Until); err != nil {
			return f, display.Usagef("--until: %v", err)
		}
	}
	if c.Since != "" && c.Until != "" && !f.Since.Before(f.Until) {
		return f, display.Usagef("--until: must be later than --since: nothing is in between")
	}
	return f, nil
}

// narrowed reports whether not all are asked for.
func (c *listCmd) narrowed() bool {
	return len(c.Label)+len(c.State) > 0 || c.Since+c.Until+c.Sender+c.App+c.Title != ""
}

// list prints the notifications of a kind, "" for both, that are asked for. none says that
// there is not one at all.
func (c *listCmd) list(ctx context.Context, con *display.Console, kind client.Kind, none string) error {
	f, err := c.filter(con)
	if err != nil {
		return err
	}
	f.Kind = kind
	if c.narrowed() {
		none = "none found: list without a filter shows the newest"
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	table := notificationTable()
	enc := json.NewEncoder(con.Out)
	seen := 0
	for n, err := range api.Notifications(ctx, f) {
		if err != nil {
			return err
		}
		if !c.Output.JSON() {
			listRow(table, con, &n)
		} else if err := enc.Encode(n); err != nil {
			return err
		}
		if seen++; seen == c.Limit {
			break
		}
	}
	if c.Output.JSON() {
		return nil
	}
	return table.Print(con, c.Output.Wide(), none)
}

func notificationTable() *display.Table {
	return display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "STATE", Tone: true}, display.Column{Name: "TITLE", Least: 10, Drop: 6},
		display.Column{Name: "PRIORITY", Wide: true}, display.Column{Name: "RECIPIENTS", Right: true, Drop: 2},
		display.Column{Name: "SENT", Right: true, Drop: 5}, display.Column{Name: "FAILED", Right: true},
		display.Column{Name: "OPEN", Right: true, Drop: 4}, display.Column{Name: "SENDER", Least: 12, Drop: 3},
		display.Column{Name: "AGE"}, display.Column{Name: "ACCEPTED", Wide: true}, display.Column{Name: "LABELS", Least: 10, Drop: 1},
	)
}

func listRow(table *display.Table, con *display.Console, n *client.Notification) {
	var sent, failed, open string
	if c := n.Counts; c != nil {
		sent, failed, open = progress.Group(c.Sent), progress.Group(c.Accepted-c.Open-c.Sent), progress.Group(c.Open)
	}
	table.Row(n.ID, string(n.State), n.Title, string(n.Priority), progress.Group(n.Recipients), sent, failed, open, n.Sender,
		con.Age(&n.AcceptedAt), display.Clock(&n.AcceptedAt), display.Labels(n.Labels))
}
