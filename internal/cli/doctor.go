package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
)

type doctorCmd struct {
	config.Doctor
	Output output `embed:""`
}

// Help implements kong's HelpProvider.
func (doctorCmd) Help() string {
	return `Give it the settings of the service that does not work: flags or the same environment. It sends nothing to a device and changes nothing. Exit code 1 says that something must be done.

    belfry doctor --backend aws --fcm-credentials key.json`
}

// Run examines and reports.
func (c *doctorCmd) Run(ctx context.Context, con *console, s Services) error {
	report := s.Doctor(ctx, c.Doctor)
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if c.Output.json() {
		err = printJSON(con.out, report)
	} else {
		err = printReport(con.out, report)
	}
	if err == nil && !report.Healthy() {
		err = statusError(ExitFailure)
	}
	return err
}

func printReport(w io.Writer, r doctor.Report) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range r.Results {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\n", x.Status, x.Name, x.Detail)
		if x.Remedy != "" {
			_, _ = fmt.Fprintf(tw, "\t\tto do: %s\n", x.Remedy)
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d ok, %d warnings, %d failed, %d skipped\n",
		r.Count(doctor.StatusOK), r.Count(doctor.StatusWarning), r.Count(doctor.StatusFailed), r.Count(doctor.StatusSkipped))
	return err
}
