package access

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Tenant is one client organisation. Nothing of it is visible to another.
type Tenant struct {
	Name      string    `json:"name"`            // see [ValidName]
	About     string    `json:"about,omitempty"` // for people
	Settings  Settings  `json:"settings,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	UpdatedAt time.Time `json:"updated_at"`
	// DeletedAt is when the tenant was deleted; its keys then open nothing and its open
	// work ends as cancelled. The document stays, so that the name is not given to
	// another.
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

// Deleted reports whether the tenant is no more.
func (t *Tenant) Deleted() bool { return !t.DeletedAt.IsZero() }

// App is one application of a tenant: it has an FCM credential of its own.
type App struct {
	Tenant    string    `json:"tenant"`
	Name      string    `json:"name"` // see [ValidName]
	About     string    `json:"about,omitempty"`
	Settings  Settings  `json:"settings,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	UpdatedAt time.Time `json:"updated_at"`
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

// Deleted reports whether the app is no more.
func (a *App) Deleted() bool { return !a.DeletedAt.IsZero() }

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
