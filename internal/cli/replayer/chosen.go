package replayer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// letterCode is the name of a code that a dead letter can have.
type letterCode string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *letterCode) UnmarshalText(name []byte) error {
	var names []string
	for _, f := range push.LetterCodes() {
		names = append(names, f.Name)
	}
	if !slices.Contains(names, string(name)) {
		return fmt.Errorf("must be a code that a dead letter can have, one of %s (got %q)%s", strings.Join(names, ", "), name,
			strict.DidYouMean(string(name), names))
	}
	*c = letterCode(name)
	return nil
}

// chosen is the filter that most commands take.
type chosen struct {
	Queue        string        `group:"letters" placeholder:"NAME" help:"Source queue, such as deliveries-high."`
	Code         letterCode    `group:"letters" placeholder:"CODE" help:"Outcome code, of the death or of the last attempt."`
	Class        client.Class  `group:"letters" placeholder:"CLASS" help:"Class of either code, such as retryable."`
	Fingerprint  string        `group:"letters" placeholder:"F" help:"Of a group: see groups."`
	Notification string        `group:"letters" aliases:"batch" placeholder:"ID" help:"Of one notification or batch."`
	Tenant       string        `group:"letters" placeholder:"NAME" help:"Of one tenant."`
	App          string        `group:"letters" placeholder:"NAME" help:"Of one FCM project."`
	Label        string        `group:"letters" placeholder:"NAME[=VALUE]" help:"Label of the notification."`
	Text         string        `group:"letters" placeholder:"WORDS" help:"In the evidence, the ids or the labels."`
	Older        time.Duration `group:"letters" placeholder:"AGE" help:"Dead for longer than that, such as 2h."`
	Younger      time.Duration `group:"letters" placeholder:"AGE" help:"Dead for less than that."`
}

// read is the filter of commands that only look.
type read struct {
	chosen

	State  []client.DeadLetterState `group:"letters" placeholder:"STATE" help:"parked, replaying, replayed or discarded; several with commas."`
	Replay string                   `group:"letters" placeholder:"ID" help:"Claimed last by that replay."`
	All    bool                     `hidden:"" help:"What commands that only look do anyway."`
}

// act is the filter of commands that change something: letters that wait.
type act struct {
	chosen

	ID  []string `group:"letters" placeholder:"ID" help:"Single letters; several with commas."`
	All bool     `group:"letters" help:"All of them: needed where no other filter is given."`
}

// given tells whether anything was said about which letters are meant.
func (c *act) given() bool { return c.chosen != chosen{} || len(c.ID) > 0 || c.All }

// check refuses to take every letter by mistake.
func (c *act) check() error {
	if !c.given() {
		return display.Usagef("which letters? Give a filter such as --code or --fingerprint, or --all for every one that is parked")
	}
	return nil
}

func (c *chosen) filter() client.DeadLetterFilter {
	f := client.DeadLetterFilter{
		Queue: c.Queue, Code: client.Code(c.Code), Class: c.Class, Fingerprint: c.Fingerprint, Notification: c.Notification,
		Tenant: c.Tenant, App: c.App, Label: c.Label,
		Text: c.Text,
	}
	if c.Older > 0 {
		f.Older = c.Older.String()
	}
	if c.Younger > 0 {
		f.Younger = c.Younger.String()
	}
	return f
}

func (c *read) filter() client.DeadLetterFilter {
	f := c.chosen.filter()
	f.States, f.Replay = c.State, c.Replay
	return f
}

func (c *act) filter() client.DeadLetterFilter {
	f := c.chosen.filter()
	f.IDs = c.ID
	return f
}
