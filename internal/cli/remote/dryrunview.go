package remote

import (
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

func (c *sendCmd) printDryRun(con *display.Console, d *dryRun) error {
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, d)
	}
	var l display.List
	l.Row("dry run", "nothing was sent")
	l.Row("recipients", progress.Group(d.Recipients))
	for _, kind := range []string{"token", "fid", "user_id", "device_id"} {
		if n := d.ByKind[kind]; n > 0 {
			l.Row("  by "+kind, progress.Group(n))
		}
	}
	if d.Refused > 0 {
		l.Row("refused", lines(d.Refused))
	}
	if d.Preview != nil {
		rowsOfPreview(&l, d.Preview)
	}
	if d.Bytes > 0 {
		l.Row("message", fmt.Sprintf("valid, %s bytes of JSON", progress.Group(int64(d.Bytes))))
	}
	for _, s := range d.Sizes {
		l.Row("  on "+string(s.Platform), fmt.Sprintf("%s of %s bytes", progress.Group(int64(s.Bytes)), progress.Group(int64(s.Limit))))
	}
	for _, what := range d.NotChecked {
		l.Row("not checked", what)
	}
	return l.Print(con)
}

// mostNames is how many a server names.
const mostNames = 20

// rowsOfPreview says whom it would go to, and who gets nothing.
func rowsOfPreview(l *display.List, p *client.Preview) {
	to := several(
		counted{p.ByPlatform.Android, "android"}, counted{p.ByPlatform.IOS, "ios"}, counted{p.ByPlatform.Web, "web"},
		counted{p.ByPlatform.Unknown, "of unknown platform"}, counted{p.ByPlatform.Topic, "topic or condition"},
	)
	if to == "" {
		to = "nobody"
	}
	l.Row("would go to", to)
	if p.Unrecorded > 0 {
		l.Row("  unrecorded", progress.Group(p.Unrecorded)+": the registry does not know them, they are sent to all the same")
	}
	l.Row("not sent to", several(
		counted{p.Quarantined, "in quarantine"}, counted{p.Duplicates, "repeated"}, counted{p.NoDevice, "without a device"},
	))
	if names := strings.Join(p.NoDeviceNames, ", "); names != "" {
		if n := int64(len(p.NoDeviceNames)); n == mostNames && p.NoDevice > n {
			names += ", …"
		}
		l.Row("no device", names)
	}
}

// counted is a number of something.
type counted struct {
	n    int64
	what string
}

// several lists what there is, such as "2 android, 1 ios".
func several(all ...counted) string {
	var parts []string
	for _, c := range all {
		if c.n > 0 {
			parts = append(parts, progress.Group(c.n)+" "+c.what)
		}
	}
	return strings.Join(parts, ", ")
}
