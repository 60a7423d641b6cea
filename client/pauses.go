package client

import (
	"context"
	"net/url"
	"time"
)

// PauseScope is what a pause stops.
type PauseScope string

// The scopes.
const (
	PauseEverything PauseScope = "everything" // all tenants; the platform's operator alone may ask for it
	PauseTenant     PauseScope = "tenant"
	PauseApp        PauseScope = "app"
	PauseLane       PauseScope = "lane"  // of all tenants, which the operator alone may ask for, or of a tenant or an app
	PauseLabel      PauseScope = "label" // a tenant's or an app's notifications with a label
)

// PauseScopes lists every scope.
func PauseScopes() []PauseScope {
	return []PauseScope{PauseEverything, PauseTenant, PauseApp, PauseLane, PauseLabel}
}

// Lane is a queue that deliveries wait on: see the priority of a [Request].
type Lane string

// The lanes.
const (
	LaneHigh   Lane = "high"
	LaneBulk   Lane = "bulk"
	LaneReplay Lane = "replay" // dead letters that are sent again
)

// Lanes lists every lane, the most urgent first.
func Lanes() []Lane { return []Lane{LaneHigh, LaneBulk, LaneReplay} }

// PauseRequest asks for a pause.
type PauseRequest struct {
	Scope  PauseScope `json:"scope" doc:"what is paused"`
	Tenant string     `json:"tenant,omitempty" doc:"whose; absent: the caller's own, of the scope lane everybody's"`
	App    string     `json:"app,omitempty" doc:"which; absent: of the scope app default, of lane and label every app"`
	Lane   Lane       `json:"lane,omitempty" doc:"of the scope lane: which"`
	Label  string     `json:"label,omitempty" doc:"of the scope label: name=value, or name for any value"`
	Reason string     `json:"reason,omitempty" doc:"why, for people; at most 200 bytes"`
}

// Pause is a pause that stands.
type Pause struct {
	ID       string     `json:"id" doc:"with it the pause is lifted"`
	Scope    PauseScope `json:"scope" doc:"what is paused"`
	What     string     `json:"what" doc:"the same in words, such as label campaign=spring of tenant acme"`
	Tenant   string     `json:"tenant,omitempty" doc:"whose; absent: everybody's"`
	App      string     `json:"app,omitempty" doc:"which; absent: all of the tenant's"`
	Lane     Lane       `json:"lane,omitempty" doc:"of the scope lane: which"`
	Label    string     `json:"label,omitempty" doc:"of the scope label: name=value, or name for any value"`
	Reason   string     `json:"reason,omitempty" doc:"why, for people"`
	By       string     `json:"by" doc:"the name of the key that asked for it"`
	Since    time.Time  `json:"since" doc:"since when nothing of it is sent"`
	Operator bool       `json:"operator,omitempty" doc:"the platform's operator asked for it: the tenant cannot lift it"`
}

// PauseList is all pauses that the caller may see.
type PauseList struct {
	Items []Pause `json:"items" doc:"the oldest first"`
}

// AddPause pauses sending for everything, a tenant, an app, a lane or a label, until [Client.LiftPause]: within a second no process starts
// another request to FCM for it. If it is paused already, the pause that stands is returned.
func (c *Client) AddPause(ctx context.Context, req PauseRequest) (Pause, error) {
	var p Pause
	cl, err := post("/v1/pauses", req)
	if err == nil {
		err = c.do(ctx, cl, &p)
	}
	return p, err
}

// Pauses returns the pauses that stand: all for the platform's operator, else those that stop the caller's tenant.
func (c *Client) Pauses(ctx context.Context) ([]Pause, error) {
	var l PauseList
	err := c.do(ctx, get("/v1/pauses", nil), &l)
	return l.Items, err
}

// LiftPause ends a pause: within a second what waits goes on.
func (c *Client) LiftPause(ctx context.Context, id string) error {
	return c.do(ctx, del("/v1/pauses/"+url.PathEscape(id)), nil)
}
