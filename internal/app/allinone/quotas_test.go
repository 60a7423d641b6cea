package allinone

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
)

// A tenant over its quota: what is refused says why and when, in problem and fields; what is deferred says what it waits
// for, survives a restart, and starts when there is room, no faster than the quota.
func TestQuotas(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put("shop", "shop-project", client.CredentialOptions{})
	set := func(s map[string]any) {
		t.Helper()
		if _, err := in.api.PatchApp(t.Context(), "shop", client.AppPatch{Settings: s}); err != nil {
			t.Fatal(err)
		}
		in.stop() // which is quicker than the five seconds in which it holds everywhere
		in.start(sealKey)
	}
	set(map[string]any{"notifications_per_minute": 60, "recipients_per_day": 100})
	n := in.until(in.send("shop", "one"), "sent", sent)
	if n.Deferred {
		t.Errorf("%+v", n)
	}
	body := `{"app":"shop","to":{"tokens":["` + strings.Repeat(`x","`, 100) + `y"]},"message":{"data":{"a":"b"}}}`
	res, err := http.Post(in.base+"/v1/notifications", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var p client.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if p.Code != "quota_exceeded" || p.Quota != client.QuotaRecipients || p.Limit != 100 || res.Header.Get("Retry-After") != "" ||
		!strings.Contains(p.Detail, "more than it ever has") {
		t.Errorf("%+v", p)
	}
	all, err := in.api.Quotas(t.Context(), client.QuotaFilter{App: "shop"})
	if err != nil || len(all) != 2 || all[1].Quota != client.QuotaRecipients || all[1].Left != 99 || all[1].App != "shop" {
		t.Errorf("%+v, %v", all, err)
	}

	set(map[string]any{"over_quota": "defer"})
	var deferred []string
	for len(deferred) < 4 {
		id := in.send("shop", "some")
		if n, err := in.api.Notification(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if n.Deferred {
			deferred = append(deferred, id)
		}
	}
	last := deferred[len(deferred)-1]
	n = in.until(last, "seen to wait", func(n *client.Notification) bool { return n.Waiting != nil })
	if n.Waiting.Reason != client.WaitDeferred || !strings.Contains(n.Waiting.Text, "quota") {
		t.Errorf("%+v", n.Waiting)
	}
	in.stop()
	in.start(sealKey)
	for _, id := range deferred {
		in.until(id, "sent when there is room", sent)
	}
}
