package pages

import (
	"context"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// ProblemKind is what a kind of problem means.
type ProblemKind struct {
	Type    string    `json:"type" doc:"what problem documents have as their type: this address"`
	Code    door.Code `json:"code" doc:"what problem documents have as their code"`
	Status  int       `json:"status" minimum:"400" maximum:"599" doc:"HTTP status of the answer"`
	Title   string    `json:"title" doc:"what problem documents have as their title"`
	Meaning string    `json:"meaning" doc:"when it is answered, and what was done until then"`
	Remedy  string    `json:"remedy" doc:"what to do about it"`
	Retry   bool      `json:"retry" doc:"whether the same request may succeed later, unchanged"`
}

// ProblemKinds lists every kind of problem.
type ProblemKinds struct {
	Items []ProblemKind `json:"items" doc:"every kind, by status"`
}

func explained(a *door.Advice) ProblemKind {
	return ProblemKind{
		Type: door.TypeOf(a.Code), Code: a.Code, Status: a.Status, Title: a.Title, Meaning: a.Meaning, Remedy: a.Remedy, Retry: a.Retry,
	}
}

// Problems are the routes that explain problems. A server that answers with
// problem documents has them, because their types point there.
func Problems(group string) []*door.Route {
	var kinds ProblemKinds
	byCode := map[string]ProblemKind{}
	for _, a := range door.Advices() {
		p := explained(&a)
		kinds.Items = append(kinds.Items, p)
		byCode[string(a.Code)] = p
	}
	one := func(_ context.Context, x *door.Exchange) (door.Reply, error) {
		p, ok := byCode[x.Request.PathValue("code")]
		if !ok {
			return door.Reply{}, door.Refuse(door.CodeNotFound, "there is no problem of this code: GET /problems lists all")
		}
		return negotiated(x, "problem", p.Title, p)
	}
	return []*door.Route{
		{
			Method: http.MethodGet, Path: "/problems", Name: "listProblems", Group: group, Open: true, Quiet: true,
			About:  "List the kinds of problem that the API answers with, and what to do about each.",
			Detail: "A page for browsers, JSON for anybody else.",
			Gives:  shown(door.Given{About: "Every kind.", Of: reflect.TypeFor[ProblemKinds](), Sample: ProblemKinds{Items: kinds.Items[:2]}}),
			Run: door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
				return negotiated(x, "problems", "Problems", kinds)
			}),
		},
		{
			Method: http.MethodGet, Path: "/problems/{code}", Name: "getProblem", Group: group, Open: true, Quiet: true,
			About:  "Say what a kind of problem means, and what to do about it.",
			Detail: "The `type` of a problem document is this address. A page for browsers, JSON for anybody else.",
			Gives:  shown(door.Given{About: "What it means.", Of: reflect.TypeFor[ProblemKind](), Sample: byCode[string(door.CodeConflict)]}),
			Codes:  []door.Code{door.CodeNotFound},
			Run:    door.Replying(one),
		},
	}
}
