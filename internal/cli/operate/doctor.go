package operate

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
)

type doctorCmd struct {
	config.Doctor
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (doctorCmd) Help() string {
	return `Give it the settings of the service that does not work: flags or the same environment. It sends nothing to a device and
changes nothing. Exit code 1 says that something must be done.

    belfry doctor --backend aws --fcm-credentials key.json`
}

// Run examines and reports.
func (c *doctorCmd) Run(ctx context.Context, con *display.Console, s Services) error {
	report := s.Doctor(ctx, c.Doctor)
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if c.Output.JSON() {
		err = display.PrintJSON(con.Out, report)
	} else {
		err = printReport(con, report)
	}
	if err == nil && !report.Healthy() {
		err = display.StatusError(display.ExitFailure)
	}
	return err
}

func printReport(con *display.Console, r doctor.Report) error {
	var rows [][]string
	for _, x := range r.Results {
		rows = append(rows, []string{string(x.Status), x.Name, x.Detail})
		if x.Remedy != "" {
			rows = append(rows, []string{"", "", "to do: " + x.Remedy})
		}
	}
	_, err := fmt.Fprintf(con.Out, "%s\n%d ok, %d warnings, %d failed, %d skipped\n",
		display.Hanging(rows, con.Width, ""),
		r.Count(doctor.StatusOK), r.Count(doctor.StatusWarning), r.Count(doctor.StatusFailed), r.Count(doctor.StatusSkipped))
	return err
}
