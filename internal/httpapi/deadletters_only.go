package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/auditlog"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/following"
	"github.com/belfry-push/belfry/internal/httpapi/overview"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// Direct is what a program has that serves itself, on the backend.
type Direct struct {
	Letters  deadletters.Letters
	Replays  deadletters.Replays
	Answers  idempotency.Store
	Audit    door.Auditor
	AuditLog AuditLog
	Status   overview.Statuses
	Breakers Breakers
	Events   following.Hub
	User     string // who runs the program
	Log      *zap.Logger
}

// NewDeadLetters returns the handler of the dead letters, replays, the audit log, the status, the events and the breakers only, for
// a program that has the backend itself: it asks for no key, and every request is the
// operator's, made by a local user. It must be served inside the process only: it does not
// check the Host header either.
func NewDeadLetters(d Direct) (http.Handler, error) {
	pages, err := sameorigin.New(sameorigin.Config{AnyHost: true})
	if err != nil {
		return nil, err
	}
	return door.New(door.Config{
		Answers: d.Answers, Auth: local{d.User}, Audit: d.Audit, Pages: pages, Registry: prometheus.NewRegistry(), Log: d.Log,
		Rooms: deadletters.Refusal,
	}, slices.Concat(deadletters.Routes(d.Letters, d.Replays), auditlog.Routes(d.AuditLog), overview.Routes(d.Status),
		following.Routes(d.Events), (&breakers{d.Breakers}).routes()))
}

// local takes every request for a local user's.
type local struct{ user string }

// Authenticate implements [door.Authenticator].
func (l local) Authenticate(context.Context, access.Presented) (access.Caller, error) {
	who := access.Everybody()
	who.Name = "local:" + l.user
	return who, nil
}
