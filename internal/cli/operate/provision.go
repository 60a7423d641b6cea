package operate

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/provision"
)

type provisionCmd struct {
	config.Provision
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (provisionCmd) Help() string {
	return `Queues with their dead-letter queues, topics, tables and the bucket, in the account and region of the standard AWS
environment. What exists and differs is left alone without --force, and nothing is ever deleted. It may be run again at any
time.

    AWS_PROFILE=push AWS_REGION=eu-central-1 belfry provision --plan
    AWS_PROFILE=push AWS_REGION=eu-central-1 belfry provision

The repository has the same as OpenTofu and Terraform modules.`
}

// Run plans or provisions, and shows what was found or done.
func (c *provisionCmd) Run(ctx context.Context, con *display.Console, s Services) error {
	plan, failure := s.Provision(ctx, c.Provision)
	if len(plan.Steps) == 0 {
		return failure
	}
	var err error
	if c.Output.JSON() {
		err = display.PrintJSON(con.Out, plan)
	} else {
		err = printPlan(con.Out, plan)
	}
	if failure != nil {
		return failure
	}
	return err
}

// printPlan prints a line for each resource, and one for each attribute that is
// not as it must be.
func printPlan(w io.Writer, plan provision.Plan) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "KIND\tNAME\tWHAT")
	for _, s := range plan.Steps {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\n", s.Kind, s.Name, whatOf(s))
		if s.Outcome == provision.OutcomeCreated {
			continue
		}
		for _, c := range s.Changes {
			if c.Effect != provision.EffectUnsupported {
				_, _ = fmt.Fprintf(tw, "\t\t  %s\n", changeText(s, c))
			}
		}
	}
	return tw.Flush()
}

// whatOf says what is or was to do about a resource.
func whatOf(s provision.Step) string {
	var unsupported []string
	adds, differs := false, false
	for _, c := range s.Changes {
		switch c.Effect {
		case provision.EffectUnsupported:
			unsupported = append(unsupported, c.Attribute)
		case provision.EffectAdd:
			adds = true
		case provision.EffectReplace, provision.EffectImpossible:
			differs = true
		}
	}
	text := "as it must be"
	switch s.Outcome {
	case provision.OutcomeCreated:
		text = "created"
	case provision.OutcomeChanged:
		text = "changed"
	case provision.OutcomeLeft:
		text = "differs, left as it is"
	default:
		switch {
		case !s.Exists:
			text = "to create"
		case differs:
			text = "differs"
		case adds:
			text = "to complete"
		}
	}
	if len(unsupported) > 0 {
		text += " (not supported here: " + strings.Join(unsupported, ", ") + ")"
	}
	return text
}

func changeText(s provision.Step, c provision.Change) string {
	if !s.Exists {
		return c.Attribute + ": " + c.To
	}
	from := c.From
	if from == "" {
		from = "not set"
	}
	text := fmt.Sprintf("%s: %s -> %s", c.Attribute, from, c.To)
	switch {
	case c.Effect == provision.EffectImpossible:
		text += " (impossible)"
	case c.Effect == provision.EffectReplace && s.Outcome != provision.OutcomeChanged:
		text += " (only with --force)"
	}
	return text
}
