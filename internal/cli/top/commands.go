package top

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// Commands are the commands, to embed in a grammar.
type Commands struct {
	Top topCmd `cmd:"" group:"operate" help:"Watch the status live: sort, filter and drill down with keys."`
}

type topCmd struct {
	Every  time.Duration `default:"2s" group:"other" placeholder:"TIME" help:"How often it asks, from 1s to 1m."`
	Source direct.Source `embed:""`
}

// Help implements kong's HelpProvider.
func (topCmd) Help() string {
	return `It is belfry status on a terminal of 80×24 or more, asked again every 2 seconds. The overview has a row for each section; enter
opens it, and then a row of it: of a batch its counts, pace and what it waits for, of a credential the story of its breaker, of
dead letters the runbook's advice and the commands to type. s sorts, / filters, p pauses, esc goes back, ? shows all keys, q quits.
The first line says how old the data is. If the server does not answer, what was known stays, and it asks again until it does:

    belfry top --api https://push.example.com
    belfry top --data /var/lib/belfry --every 1s

Without a terminal use belfry status: -o json --every 2s prints the status as a line of JSON again and again.`
}

// Validate reports what is wrong with the flags.
func (c *topCmd) Validate() error {
	if c.Every < time.Second || c.Every > time.Minute {
		return display.Usagef("--every: must be 1s to 1m (got %s)", c.Every)
	}
	return nil
}

// Run shows it until it is told to quit.
func (c *topCmd) Run(ctx context.Context, con *display.Console) error {
	keys, screen, ok := con.Screen()
	if !ok {
		return display.Usagef("belfry top draws on a terminal and reads its keys, and this is none: use belfry status, or " +
			"belfry status -o json --every 2s, which prints a line of JSON again and again")
	}
	var said bytes.Buffer // what would be said on the terminal meanwhile
	quiet := *con
	quiet.Err = &said
	err := c.Source.With(ctx, &quiet, func(api *client.Client) error {
		from := cmp.Or(c.Source.Access.API, c.Source.Store.Data)
		if c.Source.Access.API == "" && c.Source.Store.Backend == "aws" {
			from = "AWS"
		}
		t := &program{ctx: ctx, api: api, model: newModel(from, c.Every, time.Now()), colour: con.Colour}
		profile := colorprofile.ASCII
		if con.Colour {
			profile = colorprofile.ANSI
		}
		_, err := tea.NewProgram(t, tea.WithContext(ctx), tea.WithInput(keys), tea.WithOutput(screen), tea.WithoutSignalHandler(),
			tea.WithColorProfile(profile)).Run()
		if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
			return ctx.Err()
		}
		return cmp.Or(t.refused, err)
	})
	_, _ = said.WriteTo(con.Err)
	return err
}

// program runs a model on a terminal.
type program struct {
	ctx     context.Context //nolint:containedctx // tea calls Update without one
	api     *client.Client
	model   model
	colour  bool
	refused error // why the first answer ends it
}

// patience is how long an answer may take.
const patience = 10 * time.Second

// Init implements tea.Model.
func (t *program) Init() tea.Cmd { return func() tea.Msg { return tick(time.Now()) } }

// Update implements tea.Model.
func (t *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var known any
	var next tea.Cmd
	switch msg := msg.(type) {
	case tick:
		known, next = msg, tea.Tick(time.Second/2, func(at time.Time) tea.Msg { return tick(at) })
	case answer:
		known = msg
		if t.model.status == nil && final(msg.err) {
			t.refused = msg.err
			return t, tea.Quit
		}
	case tea.KeyPressMsg:
		known = key(msg.String())
	case tea.PasteMsg:
		known = typed(msg.Content)
	case tea.WindowSizeMsg:
		known = size{msg.Width, msg.Height}
	default:
		return t, nil
	}
	m, what := t.model.update(known)
	t.model = m
	switch what {
	case ask:
		return t, tea.Batch(next, t.ask(m.wants()))
	case quit:
		return t, tea.Quit
	case nothing:
	}
	return t, next
}

// ask is the status, and what is known of one notification.
func (t *program) ask(id string) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(t.ctx, patience)
		defer cancel()
		s, err := t.api.Status(ctx)
		a := answer{status: &s, err: err}
		if err == nil && id != "" {
			if n, err := t.api.Notification(ctx, id); err == nil { // what the status has is shown all the same
				a.notification = &n
			}
		}
		a.at = time.Now()
		return a
	}
}

// View implements tea.Model.
func (t *program) View() tea.View {
	v := tea.NewView(t.model.view(t.colour))
	v.AltScreen, v.WindowTitle = true, "belfry top"
	return v
}

// final reports whether asking again would change nothing.
func final(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || p.Status == http.StatusNotFound)
}
