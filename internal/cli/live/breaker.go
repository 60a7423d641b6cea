package live

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// breakerCmd are the commands of the breakers of FCM credentials.
type breakerCmd struct {
	List  breakerListCmd  `cmd:"" default:"withargs" help:"List the breakers of all FCM credentials, and which an operator holds."`
	Open  breakerOpenCmd  `cmd:"" help:"Hold a credential's breaker open: nothing is sent with it, and what waits loses no attempt."`
	Close breakerCloseCmd `cmd:"" help:"Hold a credential's breaker closed: sending goes on, whatever FCM answers."`
	Reset breakerResetCmd `cmd:"" help:"End what an operator has decided of a breaker, and have it forget what it saw."`
}

type breakerListCmd struct {
	Source direct.Source  `embed:""`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (breakerListCmd) Help() string {
	return `A breaker is forced if an operator holds it open or closed. With --api it asks a running server; without it, it reads the
data directory or the backend on AWS itself.

    belfry breaker list --api https://push.example.com
    belfry breaker list --data /var/lib/belfry -o json`
}

// Run lists the breakers.
func (c *breakerListCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Source.With(ctx, con, func(api *client.Client) error {
		all, err := api.Breakers(ctx)
		if err != nil {
			return err
		}
		return printBreakers(con, &c.Output, all)
	})
}

func printBreakers(con *display.Console, out *display.Output, all []client.Breaker) error {
	t := display.NewTable(
		display.Column{Name: "CREDENTIAL", Least: 12}, display.Column{Name: "BREAKER", Tone: true}, display.Column{Name: "SINCE", Right: true},
		display.Column{Name: "UNTIL"}, display.Column{Name: "DISPATCHERS", Right: true, Drop: 1}, display.Column{Name: "WHY", Least: 10},
		display.Column{Name: "APPS", Wide: true},
	)
	for i := range all {
		b := &all[i]
		if out.JSON() {
			if err := display.Line(con.Out, b); err != nil {
				return err
			}
			continue
		}
		s := client.StatusCredential{
			Label: b.Credential, Breaker: b.State, Since: b.Since, Until: b.Until, Cause: b.Cause, Override: b.Override,
		}
		state, until, why := Stand(&s, time.Now())
		t.Row(b.Credential, state, con.Age(Since(&s)), until, strconv.Itoa(b.Processes), why, strings.Join(b.Apps, " "))
	}
	if out.JSON() {
		return nil
	}
	return t.Print(con, out.Wide(), "no credential is known: one is once a dispatcher sends with it")
}

// held are the flags of a breaker that is held.
type held struct {
	Credential string         `arg:"" help:"The credential, as belfry status names it, or an app that has it, as tenant/app."`
	Reason     string         `group:"which" help:"Why, for people: it is shown wherever work waits, and stands in the audit log. Without it, that of a hold which this one prolongs is kept."`
	Until      time.Time      `group:"which" placeholder:"TIME" format:"2006-01-02T15:04:05Z07:00" help:"When it ends, such as 2026-12-01T12:00:00Z; without an end it stands until belfry breaker reset."`
	For        time.Duration  `group:"which" placeholder:"TIME" help:"How long, such as 30m, instead of --until."`
	Source     direct.Source  `embed:""`
	Output     display.Output `embed:""`
}

// Validate reports what is wrong with the flags.
func (h *held) Validate() error {
	switch {
	case h.For != 0 && !h.Until.IsZero():
		return display.Usagef("--for: give it or --until, not both")
	case h.For < 0:
		return display.Usagef("--for: must be above 0 (got %s)", h.For)
	}
	return nil
}

func (h *held) request() client.BreakerRequest {
	req := client.BreakerRequest{Reason: h.Reason}
	if h.For > 0 {
		req.For = h.For.String()
	}
	if !h.Until.IsZero() {
		req.Until = &h.Until
	}
	return req
}

// moveFunc is a method of the client that moves a breaker.
type moveFunc func(api *client.Client, ctx context.Context, credential string, req client.BreakerRequest) (client.Breaker, error)

// move moves a breaker, and says so.
func move(
	ctx context.Context, con *display.Console, from *direct.Source, out *display.Output, name string, req client.BreakerRequest, do moveFunc,
) error {
	return from.With(ctx, con, func(api *client.Client) error {
		b, err := do(api, ctx, name, req)
		if err != nil {
			return err
		}
		if out.JSON() {
			return display.Line(con.Out, b)
		}
		holds, when := said(&b)
		_, err = fmt.Fprint(con.Out, display.Wrap(holds, con.Width, ""), display.Wrap(when, con.Width, ""))
		return err
	})
}

// said says what holds from now on, and when dispatchers know.
func said(b *client.Breaker) (holds, when string) {
	when = "dispatchers follow within seconds"
	if b.Processes == 0 {
		when = "no dispatcher that runs sends with it at present"
	}
	o := b.Override
	if o == nil {
		return b.Credential + ": its breaker decides by itself again", when
	}
	until := "until belfry breaker reset"
	if o.Until != nil {
		until = "until " + o.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if o.Reason != "" {
		until += ", because: " + o.Reason
	}
	return b.Credential + ": its breaker is forced " + o.State + " " + until, when
}

type breakerOpenCmd struct {
	held `embed:""`
}

// Help implements kong's HelpProvider.
func (breakerOpenCmd) Help() string {
	return `Within seconds no dispatcher sends with the credential, nor probes, and one that starts later follows it too. What waits
loses no attempt and is not lost; it says why it waits, and ends as expired when its time is up. At the end the breaker probes, as
one does that opened by itself. It replaces what stood before; a reason stays if no other is given:

    belfry breaker open shop-prod --for 30m --reason "FCM incident 42"
    belfry breaker open acme/shop --until 2026-12-01T12:00:00Z`
}

// Run holds the breaker open.
func (c *breakerOpenCmd) Run(ctx context.Context, con *display.Console) error {
	return move(ctx, con, &c.Source, &c.Output, c.Credential, c.request(), (*client.Client).OpenBreaker)
}

type breakerCloseCmd struct {
	held `embed:""`
}

// Help implements kong's HelpProvider.
func (breakerCloseCmd) Help() string {
	return `For when FCM is known to be back, or the breaker is wrong: within seconds sending goes on, climbing as after an outage. While
it is held closed, deliveries use up their attempts if FCM fails them: give it an end. The throttle, the pace and the retry budget
hold all the same, and so does a time that FCM named with a 429:

    belfry breaker close shop-prod --for 10m --reason "FCM is back"`
}

// Run holds the breaker closed.
func (c *breakerCloseCmd) Run(ctx context.Context, con *display.Console) error {
	return move(ctx, con, &c.Source, &c.Output, c.Credential, c.request(), (*client.Client).CloseBreaker)
}

type breakerResetCmd struct {
	Credential string         `arg:"" help:"The credential, as belfry status names it, or an app that has it, as tenant/app."`
	Reason     string         `group:"which" help:"Why, for people: it stands in the audit log."`
	Source     direct.Source  `embed:""`
	Output     display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (breakerResetCmd) Help() string {
	return `The breaker closes, decides by itself from now on, and sending climbs as after an outage. It needs no override to end: one that
opened by itself is reset too, and opens again if FCM goes on failing:

    belfry breaker reset shop-prod --reason "incident is over"`
}

// Run resets the breaker.
func (c *breakerResetCmd) Run(ctx context.Context, con *display.Console) error {
	req := client.BreakerRequest{Reason: c.Reason}
	return move(ctx, con, &c.Source, &c.Output, c.Credential, req, (*client.Client).ResetBreaker)
}
