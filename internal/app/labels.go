package app

import (
	"context"
	"errors"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// Labels finds the credential of an app, for reports.
type Labels struct {
	Room *credential.Room
	// Open says that whatever stands in FCM's place takes what has no credential.
	Open bool
}

// Label returns the label of an app's credential, "" if it has none of its own and uses the installation's; or why nothing
// can be sent for it.
func (l *Labels) Label(ctx context.Context, of, name string) (string, *report.Waiting, error) {
	ref := credential.RefOf(of, name)
	c, err := l.Room.Get(ctx, ref)
	switch {
	case errors.Is(err, push.ErrNotFound) && (l.Open || ref == credential.RefOf(access.DefaultName, "")):
		return "", nil, nil
	case errors.Is(err, push.ErrNotFound):
		return "", &report.Waiting{Reason: report.WaitCredential, Detail: "there is none; upload one"}, nil
	case err != nil:
		return "", nil, err
	case c.State == credential.Invalid:
		return "", &report.Waiting{Reason: report.WaitCredential, Detail: "Google refuses it; upload another"}, nil
	case c.Sealed != "":
		return "", &report.Waiting{Reason: report.WaitCredential, Detail: c.Sealed}, nil
	}
	return c.Label(), nil, nil
}
