package client

import (
	"context"
	"net/url"
	"time"
)

// BreakerRequest asks to hold the breaker of a credential open or closed, or to reset it.
type BreakerRequest struct {
	Reason string     `json:"reason,omitempty" doc:"why, for people; at most 200 bytes"`
	Until  *time.Time `json:"until,omitempty" doc:"of open and close: when it ends; without it and for, it stands until a reset"`
	For    string     `json:"for,omitempty" doc:"of open and close, instead of until: how long, such as 90s or 24h"`
}

// Breaker is how it stands with the breaker of an FCM credential.
type Breaker struct {
	Credential string           `json:"credential" doc:"project, or project and key"`
	Apps       []string         `json:"apps,omitempty" doc:"some of the apps that have it, as tenant/app; absent for the installation's own"`
	Processes  int              `json:"processes" doc:"how many send with it; 0: none does at present, and the rest is as it was"`
	State      string           `json:"state" enum:"closed,half_open,open" doc:"the worst of all processes, when they were heard from last"`
	Since      *time.Time       `json:"since,omitempty" doc:"since when"`
	Until      *time.Time       `json:"until,omitempty" doc:"before that nothing probes"`
	Cause      string           `json:"cause,omitempty" doc:"code of the answer that opened it"`
	Override   *BreakerOverride `json:"override,omitempty" doc:"what an operator holds it in; absent: it decides by itself"`
}

// BreakerOverride is what an operator has decided of a credential's breaker.
type BreakerOverride struct {
	State  string     `json:"state" enum:"open,closed" doc:"open: nothing is sent; closed: it does not open, whatever FCM answers"`
	By     string     `json:"by" doc:"the name of the key that asked for it"`
	Reason string     `json:"reason,omitempty" doc:"why"`
	Since  time.Time  `json:"since" doc:"since when"`
	Until  *time.Time `json:"until,omitempty" doc:"until when; absent: until it is reset"`
}

// BreakerList is the breakers of all credentials.
type BreakerList struct {
	Items []Breaker `json:"items" doc:"the worst first"`
}

// Breakers returns the breakers of all credentials that a process has sent with lately or that are overridden. It needs a key
// with the permission platform, as OpenBreaker, CloseBreaker and ResetBreaker do.
func (c *Client) Breakers(ctx context.Context) ([]Breaker, error) {
	var l BreakerList
	err := c.do(ctx, get("/v1/breakers", nil), &l)
	return l.Items, err
}

// OpenBreaker holds the breaker of a credential open, which is named by its label or by an app that has it, as tenant/app:
// within seconds nothing is sent with it, and what waits loses no attempt.
func (c *Client) OpenBreaker(ctx context.Context, credential string, req BreakerRequest) (Breaker, error) {
	return c.breaker(ctx, credential, "open", req)
}

// CloseBreaker holds the breaker of a credential closed: within seconds sending goes on, and no failure stops it.
func (c *Client) CloseBreaker(ctx context.Context, credential string, req BreakerRequest) (Breaker, error) {
	return c.breaker(ctx, credential, "close", req)
}

// ResetBreaker ends what operators have decided of a credential's breaker, and has it forget what it saw: it decides by itself
// again.
func (c *Client) ResetBreaker(ctx context.Context, credential string, req BreakerRequest) (Breaker, error) {
	return c.breaker(ctx, credential, "reset", req)
}

func (c *Client) breaker(ctx context.Context, credential, do string, req BreakerRequest) (Breaker, error) {
	var b Breaker
	cl, err := post("/v1/breakers/"+url.PathEscape(credential)+"/"+do, req)
	if err == nil {
		err = c.do(ctx, cl, &b)
	}
	return b, err
}
