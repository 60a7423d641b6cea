package access

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Tenant is one client organisation. Nothing of it is visible to another.
type Tenant struct {
	Name string `json:"name"` // see [ValidName]
	Profile
}

// App is one application of a tenant: it has an FCM credential of its own.
type App struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"` // see [ValidName]
	Profile
}

// Profile is what a tenant and an app have in common.
type Profile struct {
	About     string    `json:"about,omitempty"` // for people
	Settings  Settings  `json:"settings,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	UpdatedAt time.Time `json:"updated_at"`
	// DeletedAt is when it was deleted: the keys of a tenant then open nothing, and nothing is
	// accepted for an app. The document stays, so that the name is not given to another.
	DeletedAt time.Time `json:"deleted_at,omitzero"`
	// ClosedAt is when what a deleted one had begun was ended, see [Directory.Endings].
	ClosedAt time.Time `json:"closed_at,omitzero"`
}

// Deleted reports whether it is no more.
func (p *Profile) Deleted() bool { return !p.DeletedAt.IsZero() }

// check returns what is wrong with what somebody says of it.
func (p *Profile) check(d *Directory) push.Faults {
	return append(checkAbout(p.About), append(p.Settings.Check(), d.check(&p.Settings)...).Below("/settings")...)
}

// begin fills in what is known of a new one.
func (p *Profile) begin(now time.Time, by string) {
	p.CreatedAt, p.UpdatedAt, p.CreatedBy = now, now, by
}

// revise takes over what somebody made of a copy: About and Settings, and nothing else.
func (p *Profile) revise(made Profile, d *Directory) error {
	if err := made.check(d).Err(); err != nil {
		return err
	}
	p.About, p.Settings, p.UpdatedAt = made.About, made.Settings, d.now()
	return nil
}

// end marks it as deleted, once.
func (p *Profile) end(now time.Time) {
	if !p.Deleted() {
		p.DeletedAt = now
	}
}

// Platform is what holds for every tenant that does not set it.
type Platform struct {
	Settings  Settings  `json:"settings,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy string    `json:"updated_by,omitempty"`
}

const maxAbout = 500 // bytes

func checkAbout(about string) push.Faults {
	if len(about) > maxAbout {
		return push.Faults{{Pointer: "/about", Code: push.FaultTooLarge, Detail: "may have at most 500 bytes"}}
	}
	return nil
}
