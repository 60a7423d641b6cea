package describe

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// The sets that a property's own type does not name.
const (
	setCode       = "OutcomeCode"
	setFault      = "FaultCode"
	setPrediction = "Prediction"
)

func words[T ~string](of ...T) []string {
	out := make([]string, len(of))
	for i, w := range of {
		out[i] = string(w)
	}
	return out
}

// typ is a shorthand for the lists below.
func typ[T any]() reflect.Type { return reflect.TypeFor[T]() }

func sets() []door.Set {
	codes, faults, problems := []string{push.CodeOpen.String()}, push.FaultCodes(), []string{}
	for _, f := range push.Codes() {
		if !f.Planned {
			codes = append(codes, f.Name)
		}
	}
	for _, a := range door.Advices() {
		problems = append(problems, string(a.Code))
	}
	return []door.Set{
		{
			Name: setCode, Of: []reflect.Type{typ[client.Code](), typ[push.Code]()}, Words: codes,
			About: "Why a delivery stands where it stands. Codes may be added: go by the class then.",
		},
		{
			Name: "OutcomeClass", Of: []reflect.Type{typ[client.Class]()}, Words: words(client.Classes()...),
			About: "What an outcome code means for the sender.",
		},
		{
			Name: "NotificationState", Of: []reflect.Type{typ[client.State](), typ[push.State]()}, Words: words(client.States()...),
			About: "Where a notification or batch stands; valid answers validate_only.",
		},
		{
			Name: "ApprovalState", Of: []reflect.Type{typ[client.ApprovalState]()}, Words: words(client.ApprovalStates()...),
			About: "Where an approval stands.",
		},
		{
			Name: "WaitReason", Of: []reflect.Type{typ[client.WaitReason]()}, Words: words(client.WaitReasons()...),
			About: "What a notification waits for. Reasons may be added: show the text then.",
		},
		{
			Name: "QuotaName", Of: []reflect.Type{typ[client.QuotaName](), typ[push.Quota]()}, Words: words(client.QuotaNames()...),
			About: "A quota, by the setting that it is set with.",
		},
		{
			Name: "PauseScope", Of: []reflect.Type{typ[client.PauseScope]()}, Words: words(client.PauseScopes()...), About: "What a pause stops.",
		},
		{
			Name: "Lane", Of: []reflect.Type{typ[client.Lane](), typ[push.Lane]()}, Words: words(client.Lanes()...),
			About: "A queue that deliveries wait on; replay is for dead letters that are sent again.",
		},
		{
			Name: "Priority", Of: []reflect.Type{typ[client.Priority]()}, Words: words(client.Priorities()...), About: "The lane of a notification.",
		},
		{
			Name: "Guarantee", Of: []reflect.Type{typ[client.Guarantee]()}, Words: words(client.AtLeastOnce, client.AtMostOnce),
			About: "What happens to a delivery of which nobody knows whether FCM took it: it is tried again, or it is not.",
		},
		{
			Name: "Platform", Of: []reflect.Type{typ[client.Platform]()},
			Words: words(client.PlatformUnknown, client.PlatformAndroid, client.PlatformIOS, client.PlatformWeb, client.PlatformTopic),
			About: "What a device runs; unknown where nobody has told, topic where there is no device.",
		},
		{
			Name: "CredentialState", Of: []reflect.Type{typ[client.CredentialState]()},
			Words: words(client.CredentialStates()...),
			About: "Whether Google takes a credential; unchecked: it could not be asked.",
		},
		{
			Name: "DeviceState", Of: []reflect.Type{typ[client.DeviceState]()}, Words: words(client.DeviceActive, client.DeviceQuarantined),
			About: "Whether a device is sent to; one in quarantine is not, because its address was called dead or invalid.",
		},
		{
			Name: "SettingOrigin", Of: []reflect.Type{typ[client.Origin]()}, Words: words(client.Origins()...),
			About: "Where the value of a setting comes from, the nearest first; default is Belfry's own.",
		},
		{
			Name: "Signing", Of: []reflect.Type{typ[client.Signing]()}, Words: words(client.Signings()...),
			About: "Whether requests of a key may be signed, or must be.",
		},
		{
			Name: "APIKeyState", Of: []reflect.Type{typ[client.APIKeyState]()}, Words: words(client.APIKeyStates()...),
			About: "Whether an API key opens anything.",
		},
		{
			Name: "Scope", Of: []reflect.Type{typ[client.Scope](), typ[access.Scope]()}, Words: words(access.Scopes()...),
			About: "A coarse cut through the permissions, to narrow what a key's role allows.",
		},
		{
			Name: "Permission", Of: []reflect.Type{typ[client.Permission](), typ[access.Permission]()}, Words: words(access.Permissions()...),
			About: "Leave to do one kind of thing; every operation needs one.",
		},
		{
			Name: "DeadLetterState", Of: []reflect.Type{typ[client.DeadLetterState]()}, Words: words(client.DeadLetterStates()...),
			About: "Where a dead letter stands.",
		},
		{
			Name: "ReplayState", Of: []reflect.Type{typ[client.ReplayState]()}, About: "Where a replay stands.",
			Words: words(client.ReplayRunning, client.ReplayPaused, client.ReplayStopped, client.ReplayCancelled, client.ReplayCompleted),
		},
		{
			Name: "PrivacyAction", Of: []reflect.Type{typ[client.PrivacyAction]()}, About: "What a privacy request does.",
			Words: words(client.PrivacyExport, client.PrivacyErase),
		},
		{
			Name: "PrivacyState", Of: []reflect.Type{typ[client.PrivacyState]()}, About: "Where a privacy request stands.",
			Words: words(client.PrivacyRunning, client.PrivacyReady, client.PrivacyDone, client.PrivacyExpired),
		},
		{
			Name: setPrediction, Of: []reflect.Type{typ[predict.Prediction]()}, Words: words(predict.Predictions()...),
			About: "What would become of a dead letter if it were replayed now.",
		},
		{
			Name: "HealthStatus", Of: []reflect.Type{typ[telemetry.Status]()}, About: "How a check, or the whole process, is.",
			Words: words(telemetry.StatusOK, telemetry.StatusDegraded, telemetry.StatusFailing, telemetry.StatusDraining),
		},
		{Name: "ProblemCode", Of: []reflect.Type{typ[door.Code]()}, Words: problems, About: "The kind of a problem; /problems explains each."},
		{
			Name: setFault, Words: faults,
			About: "The kind of a fault in a request, an upload line or a registration; ignored and placeholder are warnings: it was taken.",
		},
	}
}

// fields are the properties that a Go type says too little of: another package
// reads them, or they are sets written as plain texts.
func fields() map[string]*huma.Schema {
	one := func(words ...string) *huma.Schema {
		s := &huma.Schema{Type: huma.TypeString}
		for _, w := range words {
			s.Enum = append(s.Enum, w)
		}
		s.PrecomputeMessages()
		return s
	}
	letters := views.LetterParams()
	message, fault := door.RefTo(messageName), door.RefTo(setFault)
	counts := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeInteger, Format: "int64"},
		Extensions: map[string]any{"propertyNames": door.RefTo(setPrediction)},
	}
	patch := &huma.Schema{Type: huma.TypeArray, Items: door.RefTo("PatchOperation")}
	return map[string]*huma.Schema{
		"TenantPatch.settings":      door.RefTo(settingsPatch),
		"AppPatch.settings":         door.RefTo(settingsPatch),
		"Request.message":           message,
		"Request.ttl":               {OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}}},
		"Notification.message":      message,
		"DeadLetter.message":        message,
		"DeadLetter.edited_message": message,
		"Simulation.message_before": message,
		"Simulation.message_after":  message,
		"Replay.message_before":     message,
		"Replay.message_after":      message,
		"ReplayEdits.patch":         patch,
		"DeadLetter.queue":          one(push.Queues()...),
		"DeadLetterFilter.class":    one(letters[0].Choices...), // as the parameters of the same names
		"DeadLetterFilter.code":     one(letters[1].Choices...),
		"DeadLetterFilter.queue":    one(push.Queues()...),
		"DeadLetter.prediction":     door.RefTo(setPrediction),
		"DeadLetter.address_kind":   one(words(push.KindToken, push.KindFID, push.KindTopic, push.KindCondition)...),
		"Device.source":             one(words(push.SourceAPI, push.SourceImport, push.SourceSend)...),
		"Delivery.class":            one(words(append(client.Classes(), client.ClassInvalid)...)...),
		"Delivery.code":             {AnyOf: []*huma.Schema{door.RefTo(setCode), fault}},
		"Problem.code":              door.RefTo("ProblemCode"),
		"ProblemError.code":         fault,
		"LineError.code":            fault,
		"Warning.code":              fault,
		"Simulation.counts":         counts,
		"Replay.skipped":            counts,
	}
}

// namePattern is what names of tenants, apps and roles look like.
const namePattern = "^[a-z0-9][a-z0-9-]{0,39}$"

// places are the variables in paths.
func places() map[string]door.Place {
	const uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
	id := func(of string, prefixes ...string) door.Place {
		p := door.Place{About: "The id of " + of + ".", Sample: prefixes[0] + "_" + uuid, Pattern: "^("}
		for i, prefix := range prefixes {
			if i > 0 {
				p.Pattern += "|"
			}
			p.Pattern += prefix
		}
		p.Pattern += ")_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
		return p
	}
	var problems []string
	for _, a := range door.Advices() {
		problems = append(problems, string(a.Code))
	}
	return map[string]door.Place{
		"notifications/{id}":    id("the notification or batch", push.PrefixNotification, push.PrefixBatch),
		"batches/{id}":          id("the batch", push.PrefixBatch),
		"dead-letters/{id}":     id("the dead letter", push.PrefixDeadLetter),
		"simulations/{id}":      id("the simulation", push.PrefixSimulation),
		"replays/{id}":          id("the replay", push.PrefixReplay),
		"approvals/{id}":        id("the approval", push.PrefixApproval),
		"tenants/{tenant}":      {About: "The tenant, by name.", Sample: "acme", Pattern: namePattern},
		"apps/{app}":            {About: "The app, by name; `default` for notifications that name none.", Sample: "shop", Pattern: namePattern},
		"api-keys/{id}":         {About: "The id of the API key.", Sample: sampleKeyID, Pattern: "^[0-9a-z]{12}$"},
		"roles/{role}":          {About: "The role, by name.", Sample: "support", Pattern: namePattern},
		"privacy-requests/{id}": id("the privacy request", push.PrefixPrivacy),
		"pauses/{id}":           id("the pause", pause.Prefix),
		"breakers/{credential}": {
			About: "The credential, by its label as the status shows it, or by an app that has it, as tenant/app.", Sample: "shop-prod",
		},
		"devices/{device_id}":    {About: "The id that your app gave the device.", Sample: "phone-1"},
		"deliveries/{recipient}": {About: "Whose deliveries, as said above.", Sample: "device:phone-1"},
		"problems/{code}":        {About: "The code of the problem.", Sample: string(door.CodeConflict), Words: problems},
		"assets/{file}":          {About: "The name of the file.", Sample: "index.js"},
		"docs/{file}":            {About: "The name of the file.", Sample: "docs.js"},
	}
}
