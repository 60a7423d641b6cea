package console

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/request"
)

// SignIn is the body of a sign-in.
type SignIn struct {
	Key string `json:"key" doc:"an API key of this server"`
}

// Session is who looks at the console.
type Session struct {
	SignedIn    bool                `json:"signed_in" doc:"somebody is let in"`
	Keyless     bool                `json:"keyless" doc:"the server lets in whoever reaches it, without a key"`
	Name        string              `json:"name,omitempty" doc:"of the caller, as the audit log has it"`
	Tenant      string              `json:"tenant,omitempty" doc:"whose key it is"`
	App         string              `json:"app,omitempty" doc:"the key is limited to this app"`
	Permissions []access.Permission `json:"permissions" doc:"what the caller may do; none of nobody"`
	CSRF        string              `json:"csrf,omitempty" doc:"what X-Belfry-CSRF must say in requests that have the cookie and may change something"`
	Version     string              `json:"version,omitempty" doc:"of the program"`
}

func sample() Session {
	return Session{SignedIn: true, Name: "ada", Tenant: access.DefaultName, Permissions: []access.Permission{access.PermRead}}
}

// sessions sign people in and out. They keep nothing: the browser has the key.
type sessions struct{ version string }

func (s sessions) routes(group string) []*door.Route {
	const path = "/console/session"
	of := reflect.TypeFor[Session]()
	return []*door.Route{
		{
			Method: http.MethodGet, Path: path, Name: "getConsoleSession", Group: group, Open: true, Quiet: true,
			About: "Say who is signed in to the console in this browser, and what they may do.",
			Gives: door.OK(of, sample()), Run: door.Replying(s.show),
		},
		{
			Method: http.MethodPost, Path: path, Name: "signIn", Group: group, Open: true,
			About: "Sign in to the console with an API key.",
			Detail: "The key is kept in a cookie of the browser (HttpOnly, SameSite=Strict, and Secure over HTTPS), which the API takes in the " +
				"place of `Authorization`. With the cookie, a request that may change something needs the header X-Belfry-CSRF too.",
			Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[SignIn](), Sample: SignIn{Key: "blf_…"},
			Gives: door.OK(of, sample()), Codes: []door.Code{door.CodeUnauthenticated}, Run: door.Replying(s.signIn),
		},
		{
			Method: http.MethodDelete, Path: path, Name: "signOut", Group: group, Open: true,
			About: "Sign out of the console: the browser forgets the key.",
			Gives: []door.Given{{Status: http.StatusNoContent, About: "Signed out."}},
			Run: door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
				x.SignOut()
				return door.Reply{Status: http.StatusNoContent}, nil
			}),
		},
	}
}

// show tells who is signed in. A cookie that lets nobody in any more is taken back: its key was revoked, or it is that of
// another server of this host, since cookies do not know ports.
func (s sessions) show(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	key := x.SessionKey()
	caller, err := x.Identify(ctx, key)
	if refused(err) && key != "" {
		x.SignOut()
		key = ""
		caller, err = x.Identify(ctx, key)
	}
	if refused(err) {
		return door.Reply{Status: http.StatusOK, Body: Session{Permissions: []access.Permission{}, Version: s.version}}, nil
	}
	if err != nil {
		return door.Reply{}, err
	}
	return s.reply(&caller, key), nil
}

func (s sessions) signIn(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	var in SignIn
	if err := request.DecodeJSON(body, &in); err != nil {
		return door.Reply{}, err
	}
	if in.Key == "" {
		return door.Reply{}, door.Refuse(door.CodeUnauthenticated, "give the API key: it is empty").
			With("WWW-Authenticate", `Bearer realm="belfry"`)
	}
	caller, err := x.Identify(ctx, in.Key)
	if err != nil {
		return door.Reply{}, err
	}
	x.SignIn(in.Key)
	return s.reply(&caller, in.Key), nil
}

func (s sessions) reply(c *access.Caller, key string) door.Reply {
	return door.Reply{Status: http.StatusOK, Body: Session{
		SignedIn: true, Keyless: key == "", Name: c.Name, Tenant: c.Tenant, App: c.App, Permissions: c.May.List(), CSRF: door.CSRF(key),
		Version: s.version,
	}}
}

func refused(err error) bool {
	r, ok := errors.AsType[*door.RefusalError](err)
	return ok && r.Status() == http.StatusUnauthorized
}
