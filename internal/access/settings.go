package access

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// Settings are what the platform, a tenant or an app may set. A nil field is inherited:
// an app's from its tenant, a tenant's from the platform, the platform's from Belfry's own
// default. JSON names are the names of the effective configuration.
type Settings struct {
	TTL       *int64          `json:"ttl,omitempty"`                // seconds, 1 to push.MaxTTL; of requests without ttl and expires_at
	Priority  *push.Priority  `json:"priority,omitempty"`           // of requests that give none
	Guarantee *push.Guarantee `json:"delivery_guarantee,omitempty"` // of requests that give none

	// MaxAttempts is requests to FCM for one recipient, 1 to 100. Where nobody sets it, each
	// dispatcher has its own --max-attempts.
	MaxAttempts *int64 `json:"max_attempts,omitempty"`
	// KeepDays is for how many days finished notifications are kept, [LeastKeepDays] to 3,650 and no
	// more than the deployment keeps any; settled at acceptance. In effective settings, 0 is for ever,
	// which only the deployment can say.
	KeepDays *int64 `json:"keep_days,omitempty"`

	Weight *int64 `json:"weight,omitempty"` // share of a contended FCM quota and of a lane, relative to other tenants, 1 to 100

	RequestsPerSecond       *int64 `json:"requests_per_second,omitempty"`      // of the API; 0: unlimited
	NotificationsPerMinute  *int64 `json:"notifications_per_minute,omitempty"` // accepted; 0: unlimited
	RecipientsPerDay        *int64 `json:"recipients_per_day,omitempty"`       // accepted in a UTC day; 0: unlimited
	QueuedRecipients        *int64 `json:"queued_recipients,omitempty"`        // open at once; 0: unlimited
	OverQuota               *Over  `json:"over_quota,omitempty"`               // what happens beyond a quota
	KeyRequestsPerSecond    *int64 `json:"key_requests_per_second,omitempty"`  // of one API key; 0: unlimited
	ApproveReplayOver       *int64 `json:"approve_replay_over,omitempty"`      // letters; a replay of more needs a second person; 0: never
	ApproveDiscardOver      *int64 `json:"approve_discard_over,omitempty"`     // letters; 0: never
	ApproveCredentialChange *bool  `json:"approve_credential_change,omitempty"`
	RequireSigned           *bool  `json:"require_signed,omitempty"` // requests that change something must be signed
}

// LeastKeepDays is for how many days everything is kept: a notification is the record of its
// idempotency key, which is good for 72 hours.
const LeastKeepDays = 3

// Over is what happens to requests beyond a quota.
type Over string

// What can happen.
const (
	OverRefuse Over = "refuse" // answered with 429
	OverDefer  Over = "defer"  // accepted; it waits until the quota allows it
)

// Builtin returns Belfry's own defaults, the end of every inheritance. Every field is set.
func Builtin() Settings {
	return Settings{
		TTL: new(int64(push.DefaultTTL / time.Second)), Priority: new(push.PriorityNormal), Guarantee: new(push.AtLeastOnce),
		MaxAttempts: new(int64(8)), KeepDays: new(int64(90)), Weight: new(int64(1)),
		RequestsPerSecond: new(int64(0)), NotificationsPerMinute: new(int64(0)), RecipientsPerDay: new(int64(0)), QueuedRecipients: new(int64(0)),
		OverQuota: new(OverRefuse), KeyRequestsPerSecond: new(int64(0)),
		ApproveReplayOver: new(int64(0)), ApproveDiscardOver: new(int64(0)), ApproveCredentialChange: new(false), RequireSigned: new(false),
	}
}

// amongst says that a word must be one of some.
func amongst(got string, all []string) string {
	return fmt.Sprintf("must be one of %s (got %q)", strings.Join(all, ", "), shown(got)) + strict.DidYouMean(got, all)
}

// Check returns what is wrong with settings, with pointers from their root.
func (s *Settings) Check() push.Faults {
	var faults push.Faults
	within := func(name string, v *int64, least, most int64) {
		if v != nil && (*v < least || *v > most) {
			faults = append(faults, push.Fault{
				Pointer: "/" + name, Code: push.FaultValue, Detail: fmt.Sprintf("must be %d to %d (got %d)", least, most, *v),
			})
		}
	}
	among := func(name, got string, all ...string) {
		if slices.Contains(all, got) {
			return
		}
		faults = append(faults, push.Fault{
			Pointer: "/" + name, Code: push.FaultValue, Detail: amongst(got, all),
		})
	}
	const attempts, days, weight, most = 100, 3650, 100, 1_000_000_000
	within("ttl", s.TTL, 1, int64(push.MaxTTL/time.Second))
	within("max_attempts", s.MaxAttempts, 1, attempts)
	within("keep_days", s.KeepDays, LeastKeepDays, days)
	within("weight", s.Weight, 1, weight)
	for name, v := range map[string]*int64{
		"requests_per_second": s.RequestsPerSecond, "notifications_per_minute": s.NotificationsPerMinute,
		"recipients_per_day": s.RecipientsPerDay, "queued_recipients": s.QueuedRecipients, "key_requests_per_second": s.KeyRequestsPerSecond,
		"approve_replay_over": s.ApproveReplayOver, "approve_discard_over": s.ApproveDiscardOver,
	} {
		within(name, v, 0, most)
	}
	if s.Priority != nil {
		among("priority", string(*s.Priority), string(push.PriorityHigh), string(push.PriorityNormal), string(push.PriorityBulk))
	}
	if s.Guarantee != nil {
		among("delivery_guarantee", string(*s.Guarantee), string(push.AtLeastOnce), string(push.AtMostOnce))
	}
	if s.OverQuota != nil {
		among("over_quota", string(*s.OverQuota), string(OverRefuse), string(OverDefer))
	}
	return faults
}

// checkKeep returns what is wrong with for how long notifications are kept, by a deployment that keeps them
// for most days; 0: for ever.
func (s *Settings) checkKeep(most int64) push.Faults {
	if s.KeepDays == nil || most <= 0 || *s.KeepDays <= most {
		return nil
	}
	return push.Faults{{
		Pointer: "/keep_days", Code: push.FaultValue,
		Detail: fmt.Sprintf("must be %d to %d (got %d): this deployment keeps no notification for more than %d days; on the embedded backend "+
			"a longer BELFRY_KEEP_NOTIFICATIONS raises that", LeastKeepDays, most, *s.KeepDays, most),
	}}
}

// keep brings keep_days to what the deployment keeps: that is the default, and the most.
func (e *Effective) keep(most int64) {
	if e.From["keep_days"] == FromBuiltin || most > 0 && *e.KeepDays > most {
		e.KeepDays = new(most)
	}
}

// The places that a value comes from, the nearest first.
const (
	FromApp      = "app"
	FromTenant   = "tenant"
	FromPlatform = "platform"
	FromBuiltin  = "default"
)

// Effective is settings with every field set, and where each came from.
type Effective struct {
	Settings

	From map[string]string // JSON name to one of the From… constants
}

// Inherit returns what holds for an app of a tenant. Any of the three may be empty.
func Inherit(platform, tenant, app Settings) Effective {
	e := Effective{From: map[string]string{}}
	out := reflect.ValueOf(&e.Settings).Elem()
	levels := []struct {
		from string
		v    reflect.Value
	}{
		{FromApp, reflect.ValueOf(app)},
		{FromTenant, reflect.ValueOf(tenant)},
		{FromPlatform, reflect.ValueOf(platform)},
		{FromBuiltin, reflect.ValueOf(Builtin())},
	}
	for i := range out.NumField() {
		for _, l := range levels {
			if v := l.v.Field(i); !v.IsNil() {
				out.Field(i).Set(v)
				name, _, _ := strings.Cut(out.Type().Field(i).Tag.Get("json"), ",")
				e.From[name] = l.from
				break
			}
		}
	}
	return e
}
