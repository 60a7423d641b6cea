package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/status"
)

// Overrides reads the operators' overrides of breakers when it is first called, and has them read again all the time; all
// programs of a process share them. A process that cannot read them does not start: it would send what is held. It is called
// while the process starts, from one goroutine.
func (s *Service) Overrides(ctx context.Context) (*override.Room, error) {
	if s.overrides != nil {
		return s.overrides, nil
	}
	r := override.New(s.Backend.Store, s.Now, s.Log)
	if err := r.Read(ctx); err != nil {
		return nil, fmt.Errorf("read the overrides of breakers: %w", err)
	}
	s.overrides = r
	s.Stack.Background(ctx, "overrides of breakers", time.Second, r.Run)
	return r, nil
}

// BreakerControl shows operators the breakers of all credentials, and lets them override them. Safe for concurrent use.
type BreakerControl struct {
	Docs      document.Store // where processes say how they are
	Overrides *override.Room
	Labels    *Labels
	Now       func() time.Time
}

// List returns how it stands with all credentials that a process has sent with lately, and those that are overridden.
func (c *BreakerControl) List(ctx context.Context) ([]status.CredentialSum, error) {
	known, err := status.Credentials(ctx, c.Docs, c.Now())
	if err != nil {
		return nil, fmt.Errorf("list the credentials in use: %w", err)
	}
	stand, err := c.Overrides.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the overrides of breakers: %w", err)
	}
	return status.Overridden(known, overridesOf(stand)), nil
}

// overridesOf says what stands in the words of the status, by credential.
func overridesOf(all []override.Override) map[string]status.Override {
	out := make(map[string]status.Override, len(all))
	for i := range all {
		o := &all[i]
		out[o.Credential] = status.Override{State: string(o.State), By: o.By, Reason: o.Reason, Since: o.Since, Until: o.Until}
	}
	return out
}

// Set stores an override of a credential: its label, or an app that has it, as tenant/app. It returns how it stands with the
// credential then. The error may be push.Faults, or an *override.UnknownError.
func (c *BreakerControl) Set(ctx context.Context, asked override.Override) (status.CredentialSum, error) {
	all, err := c.List(ctx)
	if err != nil {
		return status.CredentialSum{}, err
	}
	one, err := c.find(ctx, all, asked.Credential)
	if err != nil {
		return status.CredentialSum{}, err
	}
	asked.Credential = one.Label
	stands, err := c.Overrides.Set(ctx, asked)
	if err != nil {
		return status.CredentialSum{}, err
	}
	one.Override = nil
	if stands.State != override.Automatic {
		o := overridesOf([]override.Override{stands})[stands.Credential]
		one.Override = &o
	}
	return one, nil
}

// find returns the credential that a name means.
func (c *BreakerControl) find(ctx context.Context, all []status.CredentialSum, name string) (status.CredentialSum, error) {
	unknown := &override.UnknownError{Credential: name}
	for i := range all {
		if all[i].Label == name {
			return all[i], nil
		}
		unknown.Known = append(unknown.Known, all[i].Label)
	}
	tenant, app, is := strings.Cut(name, "/")
	if !is || tenant == "" || app == "" {
		return status.CredentialSum{}, unknown
	}
	label, missing, err := c.Labels.Label(ctx, tenant, app)
	switch {
	case err != nil:
		return status.CredentialSum{}, fmt.Errorf("look up the credential of %s: %w", name, err)
	case missing != nil:
		return status.CredentialSum{}, unknown
	case label != "":
		one := status.CredentialSum{}
		one.Label, one.Apps = label, []string{name}
		for i := range all {
			if all[i].Label == label {
				one = all[i]
			}
		}
		return one, nil
	}
	for i := range all { // the installation's own, which no app has brought
		if !credential.AppsOwn(all[i].Label) {
			return all[i], nil
		}
	}
	return status.CredentialSum{}, unknown
}
