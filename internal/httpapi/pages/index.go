package pages

import (
	"context"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// Index is what a server says of itself at its root.
type Index struct {
	Name    string `json:"name" doc:"Belfry"`
	Version string `json:"version" doc:"of the program; unknown where it was built without one"`
	About   string `json:"about" doc:"one sentence on what it does"`
	Links   []Link `json:"links" doc:"what there is, the console first"`
}

// Link is one thing that a server has.
type Link struct {
	Href  string `json:"href" doc:"its path, relative to the server"`
	Title string `json:"title" doc:"what it is called"`
	About string `json:"about" doc:"what is found there"`
}

// Routes are those of the index, the documentation and the problems.
func Routes(group, version string) []*door.Route {
	if version == "" {
		version = "unknown"
	}
	index := Index{
		Name: "Belfry", Version: version,
		About: "Push notifications through FCM: accepted durably, delivered within limits, and every outcome accounted for.",
		Links: []Link{
			{"/console", "Console", "how everything is, live, and what to do about it"},
			{"/docs", "Documentation", "every operation, to read and to try"},
			{"/openapi.json", "OpenAPI document", "the same for programs: generate a client from it"},
			{"/problems", "Problems", "what each kind of error means, and what to do about it"},
			{"/v1/notifications", "Notifications", "the newest first; needs the key, if the server has one"},
			{"/v1/dead-letters", "Dead letters", "what could not be delivered; needs the key, if the server has one"},
			{"/readyz", "Readiness", "whether it should be given work, and why not"},
			{"/healthz", "Health", "whether the process should be left running"},
			{"/metrics", "Metrics", "in the Prometheus text format"},
		},
	}
	root := &door.Route{
		Method: http.MethodGet, Path: "/", Name: "getIndex", Group: group, Open: true, Quiet: true,
		About:  "Say what this server has.",
		Detail: "A page for browsers, JSON for anybody else.",
		Gives:  shown(door.Given{About: "What there is.", Of: reflect.TypeFor[Index](), Sample: index}),
		Run: door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
			return negotiated(x, "index", "Belfry", index)
		}),
	}
	return append([]*door.Route{root}, append(documentation(group), Problems(group)...)...)
}
