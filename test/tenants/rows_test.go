package tenants

import (
	"fmt"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
)

// row says how a route is asked for what acme has, and what callers get that may not see that.
type row struct {
	path func(w *world) string // with what acme has, made anew where the request ends it
	body string
	kind string // media type of the body

	// rival is what another tenant's owner gets: 404 where the path names what acme has, 0 where
	// the rival works on its own.
	rival int
	// limited is what acme's owner gets that is limited to another app: 404, or 403 where the
	// whole tenant is concerned, or 0 if it is let in.
	limited int
	// platform says that only the platform's operator may.
	platform bool
	// missing says that there is nothing to be found, also for those that may.
	missing bool
}

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

func at(format string, ids ...func(w *world) string) func(w *world) string {
	return func(w *world) string {
		all := make([]any, len(ids))
		for i, id := range ids {
			all[i] = id(w)
		}
		return fmt.Sprintf(format, all...)
	}
}

func ntf(w *world) string { return w.ntf }
func bat(w *world) string { return w.bat }
func dlt(w *world) string { return w.dlt }
func sim(w *world) string { return w.sim }
func rpl(w *world) string { return w.rpl }
func key(w *world) string { return w.key }

func shopName(*world) string { return shop }

// freshKey, and those below, make what the request ends.
func freshKey(w *world) string {
	k, err := w.client(w.root).CreateAPIKey(w.t.Context(), client.APIKeyRequest{Role: access.RoleViewer}, client.OfTenant(acme))
	w.must(err)
	return k.APIKey.ID
}

func (w *world) freshName() string {
	w.names++
	return fmt.Sprintf("x%d", w.names)
}

func freshApp(w *world) string {
	a, err := w.client(w.root).CreateApp(w.t.Context(), client.AppRequest{Name: w.freshName()}, client.OfTenant(acme))
	w.must(err)
	return a.Name
}

func freshRole(w *world) string {
	r, err := w.client(w.root).CreateRole(w.t.Context(), client.RoleRequest{
		Name: w.freshName(), Permissions: []client.Permission{client.PermissionRead},
	}, client.OfTenant(acme))
	w.must(err)
	return r.Name
}

func freshTenant(w *world) string {
	t, err := w.client(w.root).CreateTenant(w.t.Context(), client.TenantRequest{Name: w.freshName()})
	w.must(err)
	return t.Name
}

func freshDevice(w *world) string {
	name := w.freshName()
	_, err := w.client(w.keys[access.RoleOwner]).PutDevice(w.t.Context(), name, client.Device{Token: "token-" + name})
	w.must(err)
	return name
}

// rows has one for every operation that needs a key, by its operationId. Whoever adds a route
// adds a row, and decides what others get.
func rows() map[string]row {
	const none, closed = http.StatusNotFound, http.StatusForbidden
	ofApp := func(path string, id func(*world) string) row {
		return row{path: at(path, id), rival: none, limited: none}
	}
	ofTenant := func(path string, id func(*world) string) row { return row{path: at(path, id), rival: none} }
	ofAll := func(path string, id func(*world) string) row {
		return row{path: at(path, id), rival: none, limited: closed}
	}
	platform := func(path string) row { return row{path: at(path), rival: closed, limited: closed, platform: true} }
	absentPlatform := func(path string) row {
		return row{path: at(path), rival: closed, limited: closed, platform: true, missing: true}
	}
	absent := func(path string) row { return row{path: at(path), rival: none, limited: closed, missing: true} }
	absentApp := func(path string) row { return row{path: at(path), rival: none, limited: none, missing: true} }
	with := func(r row, kind, body string) row {
		r.kind, r.body = kind, body
		return r
	}
	return map[string]row{
		"createNotification": with(row{path: at("/v1/notifications"), limited: closed}, typeJSON,
			`{"app":"shop","to":{"topic":"news"},"message":{"data":{}}}`),
		"publishEvent": with(row{path: at("/v1/events"), limited: closed}, typeJSON, `{"specversion":"1.0","id":"1","source":"/shop",`+
			`"type":"push.notification.requested.v1","data":{"app":"shop","to":{"topic":"news"},"message":{"data":{}}}}`),
		"listNotifications":  {path: at("/v1/notifications?app=shop"), limited: closed},
		"getNotification":    ofApp("/v1/notifications/%s", ntf),
		"listDeliveries":     ofApp("/v1/notifications/%s/deliveries", ntf),
		"traceDelivery":      ofApp("/v1/notifications/%s/deliveries/line:1", ntf),
		"traceChosen":        ofApp("/v1/notifications/%s/traces", ntf),
		"watchNotification":  ofApp("/v1/notifications/%s/events", ntf),
		"cancelNotification": ofApp("/v1/notifications/%s/cancel", ntf),
		"pauseNotification":  ofApp("/v1/notifications/%s/pause", ntf),
		"resumeNotification": ofApp("/v1/notifications/%s/resume", ntf),

		"createBatch":      with(row{path: at("/v1/batches"), limited: closed}, typeJSON, `{"app":"shop","message":{"data":{}}}`),
		"getBatch":         ofApp("/v1/batches/%s", bat),
		"reportBatch":      ofApp("/v1/batches/%s/report", bat),
		"watchBatch":       ofApp("/v1/batches/%s/events", bat),
		"uploadRecipients": with(ofApp("/v1/batches/%s/recipients", bat), typeNDJSON, "{\"token\":\"t\"}\n"),
		"startBatch":       ofApp("/v1/batches/%s/start", bat),
		"pauseBatch":       ofApp("/v1/batches/%s/pause", bat),
		"resumeBatch":      ofApp("/v1/batches/%s/resume", bat),
		"cancelBatch":      ofApp("/v1/batches/%s/cancel", bat),

		// A PUT makes the device where there is none: the rival makes its own.
		"putDevice":     with(row{path: at("/v1/devices/phone")}, typeJSON, `{"token":"token-1"}`),
		"patchDevice":   with(ofTenant("/v1/devices/%s", freshDevice), typeJSON, `{"user_id":"ada"}`),
		"getDevice":     ofTenant("/v1/devices/%s", freshDevice),
		"deleteDevice":  ofTenant("/v1/devices/%s", freshDevice),
		"restoreDevice": ofTenant("/v1/devices/%s/restore", freshDevice),
		"listDevices":   {path: at("/v1/devices")},
		"importDevices": with(row{path: at("/v1/devices/import")}, typeNDJSON, "{\"id\":\"new\",\"token\":\"t\"}\n"),

		"listDeadLetters":    {path: at("/v1/dead-letters"), limited: closed},
		"groupDeadLetters":   {path: at("/v1/dead-letters/groups"), limited: closed},
		"getDeadLetterStats": {path: at("/v1/dead-letters/stats"), limited: closed},
		"getDeadLetter":      ofAll("/v1/dead-letters/%s", dlt),
		"exportDeadLetters":  {path: at("/v1/dead-letters/export"), limited: closed},
		"discardDeadLetters": with(row{path: at("/v1/dead-letters/discard"), limited: closed}, typeJSON,
			`{"filter":{"queue":"events"},"reason":"old"}`),
		"drainDeadLetters":  platform("/v1/dead-letters/drain"),
		"importDeadLetters": with(platform("/v1/dead-letters/import"), typeNDJSON, "{}\n"),
		"simulateReplay":    with(row{path: at("/v1/simulations"), limited: closed}, typeJSON, `{"filter":{"queue":"events"}}`),
		"getSimulation":     ofAll("/v1/simulations/%s", sim),
		"startReplay":       with(row{path: at("/v1/replays"), limited: closed}, typeJSON, `{"simulation":"sim"}`),
		"listReplays":       {path: at("/v1/replays"), limited: closed},
		"getReplay":         ofAll("/v1/replays/%s", rpl),
		"pauseReplay":       ofAll("/v1/replays/%s/pause", rpl),
		"resumeReplay":      ofAll("/v1/replays/%s/resume", rpl),
		"cancelReplay":      ofAll("/v1/replays/%s/cancel", rpl),

		"listApprovals":  {path: at("/v1/approvals"), limited: closed},
		"getApproval":    absent("/v1/approvals/apr_01890a5d-ac96-774b-bcce-b302099a8057"),
		"approveRequest": absent("/v1/approvals/apr_01890a5d-ac96-774b-bcce-b302099a8057/approve"),
		"refuseRequest":  absent("/v1/approvals/apr_01890a5d-ac96-774b-bcce-b302099a8057/refuse"),

		"addPause":     with(row{path: at("/v1/pauses")}, typeJSON, `{}`), // what one may pause is what is one's own
		"listBreakers": platform("/v1/breakers"),
		"openBreaker":  with(absentPlatform("/v1/breakers/no-such/open"), typeJSON, `{}`),
		"closeBreaker": with(absentPlatform("/v1/breakers/no-such/close"), typeJSON, `{}`),
		"resetBreaker": with(absentPlatform("/v1/breakers/no-such/reset"), typeJSON, `{}`),
		"listPauses":   {path: at("/v1/pauses")},
		"listQuotas":   {path: at("/v1/quotas")},
		"liftPause":    {path: at("/v1/pauses/pau_01890a5d-ac96-774b-bcce-b302099a8057"), rival: none, limited: none, missing: true},

		"listTenants":  platform("/v1/tenants"),
		"createTenant": with(platform("/v1/tenants"), typeJSON, `{"name":"acme"}`), // taken, for whoever may
		"getTenant":    {path: at("/v1/tenants/acme"), rival: none},
		"patchTenant":  with(row{path: at("/v1/tenants/acme"), rival: none, limited: closed}, typeJSON, `{"about":"us"}`),
		"deleteTenant": {path: at("/v1/tenants/%s", freshTenant), rival: closed, limited: closed, platform: true},
		"getPlatform":  platform("/v1/platform"),
		"putPlatform":  with(platform("/v1/platform"), typeJSON, `{"settings":{}}`),

		"listApps":         {path: at("/v1/apps?tenant=acme"), rival: none},
		"createApp":        with(row{path: at("/v1/apps?tenant=acme"), rival: none, limited: closed}, typeJSON, `{"name":"shop"}`),
		"getApp":           ofApp("/v1/apps/%s", freshApp),
		"patchApp":         with(ofApp("/v1/apps/%s", freshApp), typeJSON, `{"about":"us"}`),
		"deleteApp":        ofApp("/v1/apps/%s", freshApp),
		"getConfiguration": {path: at("/v1/configuration?tenant=acme&app=shop"), rival: none, limited: none},

		"listAPIKeys":  {path: at("/v1/api-keys?tenant=acme"), rival: none},
		"createAPIKey": with(row{path: at("/v1/api-keys?tenant=acme"), rival: none, limited: closed}, typeJSON, `{"app":"shop","role":"viewer"}`),
		"getAPIKey":    ofApp("/v1/api-keys/%s", key),
		"revokeAPIKey": ofApp("/v1/api-keys/%s", freshKey),
		"rotateAPIKey": ofApp("/v1/api-keys/%s/rotate", freshKey),

		"enableSigning":  with(ofApp("/v1/api-keys/%s/signing", freshKey), typeJSON, `{}`), // 422: this sandbox has nothing to seal with
		"disableSigning": ofApp("/v1/api-keys/%s/signing", freshKey),
		"listRoles":      {path: at("/v1/roles?tenant=acme"), rival: none},
		"createRole": with(row{path: at("/v1/roles?tenant=acme"), rival: none, limited: closed}, typeJSON,
			`{"name":"support","permissions":["read"]}`),
		"deleteRole": ofAll("/v1/roles/%s", freshRole),

		"listCredentials":        {path: at("/v1/credentials")},
		"putCredential":          with(ofApp("/v1/apps/%s/credential", shopName), typeJSON, "{}"),
		"getCredential":          absentApp("/v1/apps/shop/credential"),
		"deleteCredential":       absentApp("/v1/apps/shop/credential"),
		"putTenantCredential":    with(ofApp("/v1/tenants/acme/apps/%s/credential", shopName), typeJSON, "{}"),
		"getTenantCredential":    absentApp("/v1/tenants/acme/apps/shop/credential"),
		"deleteTenantCredential": absentApp("/v1/tenants/acme/apps/shop/credential"),

		"createPrivacyRequest": with(row{path: at("/v1/privacy-requests"), limited: closed}, typeJSON, `{}`),
		"listPrivacyRequests":  {path: at("/v1/privacy-requests"), limited: closed},
		"getPrivacyRequest":    absent("/v1/privacy-requests/prv_01890a5d-ac96-774b-bcce-b302099a8057"),
		"exportPrivacyRequest": absent("/v1/privacy-requests/prv_01890a5d-ac96-774b-bcce-b302099a8057/export"),

		"tailEvents": {path: at("/v1/events?tenant=acme"), rival: closed}, // limited: of its app

		"getStatus": {path: at("/v1/status"), limited: closed}, // of its tenant

		"listUsage": {path: at("/v1/usage?tenant=acme"), rival: none}, // limited: of its app

		"listAudit":        {path: at("/v1/audit"), limited: closed},
		"exportAudit":      {path: at("/v1/audit/export"), limited: closed},
		"listAuditTenants": {path: at("/v1/audit/tenants"), limited: closed},
	}
}
