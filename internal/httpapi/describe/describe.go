// Package describe is what the API's document says beside its routes, so that a
// client can be generated from it: the message that FCM takes, the closed sets of
// words, samples of every body, and what the server sends by itself (the events of
// a stream and the outgoing events). All of it is made from the types and tables
// that the program runs on: package message, the taxonomy of codes, package wire.
package describe

import (
	"maps"
	"reflect"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Groups by which the document shows operations.
const (
	GroupNotifications = "notifications"
	GroupBatches       = "batches"
	GroupDevices       = "devices"
	GroupApprovals     = "approvals"
	GroupTenants       = "tenants"
	GroupApps          = "apps"
	GroupPauses        = "pauses"
	GroupBreakers      = "breakers"
	GroupDeadLetters   = "dead letters"
	GroupAudit         = "audit"
	GroupPrivacy       = "privacy"
	GroupUsage         = "usage"
	GroupStatus        = "status"
	GroupOperators     = "operators"
	GroupEvents        = "outgoing events"
)

const intro = `Push notifications through FCM: accepted durably, delivered within limits, and every outcome accounted for.

- **Errors.** Every error is a problem document (RFC 9457) with a stable ` + "`code`" + `; its ` + "`type`" + ` is where ` +
	"`/problems`" + ` explains it, and ` + "`errors`" + ` names each fault with its place.
- **Keys.** A request brings an API key in ` + "`Authorization: Bearer`" + `. The key names the tenant: what belongs to another is 404. ` +
	`Each operation says in ` + "`x-permission`" + ` which permission it needs; a key whose role and scopes do not have it gets 403.
- **Repeating.** A POST with an ` + "`Idempotency-Key`" + ` may be repeated: it happens once.
- **Lists** are read with ` + "`limit`" + ` and ` + "`cursor`" + `; the page without ` + "`next_cursor`" + ` is the last.
- **Bodies** need their ` + "`Content-Type`" + `. A name that is not in the document is refused, with the name that was probably meant.
- **Web pages** of another origin are refused (` + "`cross_origin`, `wrong_host`" + `).
- **Tracing.** Every answer has an ` + "`X-Request-Id`" + `, the caller's own if it is usable; ` + "`traceparent`" + ` (W3C) is continued.
- **New words.** Fields, codes and types of event may be added: skip what you do not know. What is here keeps its name, type and meaning.`

// API returns what the document says. letters and privacy say whether dead letters and
// privacy requests are served.
func API(version string, letters, privacy bool) *door.About {
	about := &door.About{
		Title: "Belfry", Version: version, Intro: intro, License: "Apache-2.0", Home: "https://github.com/belfry-push/belfry",
		Groups: []door.Group{
			{Name: GroupNotifications, About: "Send to up to 1,000 recipients, and follow the deliveries."},
			{Name: GroupBatches, About: "Send to any number of recipients: create, upload, start."},
			{Name: GroupDevices, About: "The registry of app instances."},
			{Name: GroupApprovals, About: "Dangerous requests that a second person has to approve."},
			{Name: GroupTenants, About: "Tenants and their apps, API keys and roles, and the settings that hold for them."},
			{Name: GroupApps, About: "The FCM credential that each app's notifications are sent with."},
			{Name: GroupPauses, About: "Stop sending for everything, a tenant, an app, a lane or a label, and go on."},
			{Name: GroupBreakers, About: "The circuit breakers of FCM credentials: hold one open or closed, or reset it."},
		},
		Names:   map[reflect.Type]string{reflect.TypeFor[telemetry.Report](): "HealthReport"},
		Abouts:  abouts(),
		Sets:    sets(),
		Schemas: messageSchemas(),
		Fields:  fields(),
		Places:  places(),
		Samples: samples(),
		Notices: notices(),
		Events:  door.RefTo("WatchEvent"), SampleEvents: sampleEvents(),
	}
	if letters {
		about.Groups = append(about.Groups, door.Group{
			Name:  GroupDeadLetters,
			About: "What could not be delivered or understood: look at it by cause, simulate a replay, replay, discard, export.",
		})
	}
	if privacy {
		about.Groups = append(about.Groups, door.Group{
			Name: GroupPrivacy, About: "Hand out or erase what is kept of a user, with a signed receipt.",
		})
	}
	about.Groups = append(about.Groups,
		door.Group{Name: GroupUsage, About: "What tenants used, by app and day, equal to the ledger."},
		door.Group{Name: GroupAudit, About: "Who did what: a log that cannot be changed unnoticed."},
		door.Group{Name: GroupStatus, About: "The system on one screen: healthy, and if not: who is affected, since when, why, what to do."},
		door.Group{Name: GroupOperators, About: "Health, metrics, and what this server says of itself; no key is needed."},
		door.Group{Name: GroupEvents, About: "What Belfry publishes: on AWS to an SNS topic, with the embedded backend inside the process."})
	maps.Copy(about.Schemas, eventSchemas())
	maps.Copy(about.Schemas, settingsSchemas())
	return about
}
