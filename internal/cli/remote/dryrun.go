package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// What a dry run adds to what the server says it did not check.
const (
	onlyFirst = "whom the file's lines reach: the server looked up the first one only, so not the users' devices, quarantine and repetitions"
	noMessage = "the message: no line of the file names a recipient to check it with"
	oldServer = "whom it reaches: a server of this version does not look that up"
)

// dryRun is what a send would be.
type dryRun struct {
	Recipients int64                `json:"recipients"`
	ByKind     map[string]int64     `json:"by_kind"`
	Refused    int64                `json:"refused"`
	Errors     []client.LineError   `json:"errors,omitempty"`  // the first
	Preview    *client.Preview      `json:"preview,omitempty"` // not of a file
	Bytes      int                  `json:"message_bytes"`
	Sizes      []client.MessageSize `json:"sizes,omitempty"`
	NotChecked []string             `json:"not_checked"`
}

// rehearse says what the send would be: the server checks the message and looks up whom it would
// go to. The lines of a file are checked here, by the server's rules, and the server gets the first
// recipient only. Nothing is sent or recorded.
func (c *sendCmd) rehearse(ctx context.Context, con *display.Console, api *client.Client, req client.Request) error {
	d := dryRun{ByKind: map[string]int64{}}
	req.To, req.Throttle = c.To.target(), nil
	if c.Recipients != "" {
		first, err := c.checkLines(ctx, con, &d)
		if err != nil {
			return err
		}
		req.To = first
	} else {
		for kind, list := range map[string][]string{
			"token": req.To.Tokens, "fid": req.To.FIDs, "user_id": req.To.UserIDs, "device_id": req.To.DeviceIDs,
		} {
			if len(list) > 0 {
				d.ByKind[kind] = int64(len(list))
			}
		}
		d.Recipients = max(d.ByKind["token"]+d.ByKind["fid"]+d.ByKind["user_id"]+d.ByKind["device_id"], 1)
	}
	if req.To != nil {
		req.ValidateOnly = true
		n, err := api.Send(ctx, req)
		if err != nil {
			return err
		}
		warn(con, n.Warnings)
		d.take(n, c.Recipients != "")
	} else {
		d.NotChecked = []string{noMessage}
	}
	if err := c.printDryRun(con, &d); err != nil {
		return err
	}
	if d.Refused > 0 {
		return display.StatusError(display.ExitRefused)
	}
	return nil
}

// take takes over what the server said, of a file only what does not depend on the recipient.
func (d *dryRun) take(n client.Notification, file bool) {
	d.Bytes = len(n.Message)
	switch p := n.Preview; {
	case p == nil:
		d.NotChecked = []string{oldServer}
	case file:
		d.Sizes, d.NotChecked = p.Sizes, append([]string{onlyFirst}, p.NotChecked...)
	default:
		d.Preview, d.Sizes, d.NotChecked = p, p.Sizes, p.NotChecked
	}
}

// checkLines checks every line of the file, and returns its first good recipient as a target.
func (c *sendCmd) checkLines(ctx context.Context, con *display.Console, d *dryRun) (*client.Target, error) {
	r, err := openRecipients(c.Recipients, c.Format, con.In)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.close() }()
	r.tell(con)
	judge := request.DecodeRecipient
	if r.header != nil {
		if judge, err = ofRows(r.header); err != nil {
			return nil, err
		}
	}
	var first *client.Target
	for ctx.Err() == nil {
		line, at, err := r.source.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", r.name, at, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		one, err := judge(line)
		if faults, bad := errors.AsType[push.Faults](err); bad {
			if d.Refused++; len(d.Errors) < maxShown {
				f := faults[0]
				d.Errors = append(d.Errors, client.LineError{Line: at, Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		kind, to := kindOf(&one)
		d.Recipients++
		d.ByKind[kind]++
		if first == nil {
			first = to
		}
	}
	printLines(con.Err, r.name, "would be refused", d.Refused, d.Errors)
	return first, context.Cause(ctx)
}

// ofRows judges rows of CSV.
func ofRows(header []byte) (func([]byte) (push.Recipient, error), error) {
	head := wire.NewRowReader(bytes.NewReader(header), request.MaxRecipientLine)
	if err := head.Next(); err != nil {
		return nil, err
	}
	columns, err := request.ParseColumns(head.Cells())
	return func(row []byte) (push.Recipient, error) {
		r := wire.NewRowReader(bytes.NewReader(row), request.MaxRecipientLine)
		if err := r.Next(); err != nil {
			return push.Recipient{}, push.Faults{{Code: push.FaultSyntax, Detail: err.Error()}}
		}
		return columns.Recipient(r.Cells())
	}, err
}

func kindOf(r *push.Recipient) (string, *client.Target) {
	switch {
	case r.UserID != "" && r.Address.IsZero():
		return "user_id", &client.Target{UserIDs: []string{r.UserID}}
	case r.DeviceID != "" && r.Address.IsZero():
		return "device_id", &client.Target{DeviceIDs: []string{string(r.DeviceID)}}
	case r.Address.Kind == push.KindFID:
		return "fid", &client.Target{FIDs: []string{r.Address.Value.Reveal()}}
	}
	return "token", &client.Target{Tokens: []string{r.Address.Value.Reveal()}}
}
