package fcmsim_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// detailsOf returns what the details of an error answer say, shortened.
func detailsOf(t *testing.T, a answer) string {
	t.Helper()
	var body struct {
		Error struct {
			Status  string
			Details []struct {
				Type       string `json:"@type"`
				ErrorCode  string
				StatusCode int
				Reason     string
				Violations []struct{ Subject, Description string }
			}
		}
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	said := []string{strconv.Itoa(a.status), body.Error.Status}
	for _, d := range body.Error.Details {
		said = append(said, d.Type[strings.LastIndexByte(d.Type, '.')+1:])
		if d.ErrorCode != "" {
			said = append(said, d.ErrorCode)
		}
		if d.StatusCode != 0 {
			said = append(said, strconv.Itoa(d.StatusCode))
		}
		if d.Reason != "" {
			said = append(said, d.Reason)
		}
		for _, v := range d.Violations {
			said = append(said, v.Subject)
		}
	}
	return strings.Join(said, " ")
}

// TestScriptedDetails: answers with the details that only some have.
func TestScriptedDetails(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	for _, tc := range []struct{ target, want string }{
		{`"token":"sim-apns-410-Unregistered-1"`, "400 INVALID_ARGUMENT FcmError INVALID_ARGUMENT ApnsError 410 Unregistered"},
		{`"fid":"sim-apns-400-BadDeviceToken-1"`, "400 INVALID_ARGUMENT FcmError INVALID_ARGUMENT ApnsError 400 BadDeviceToken"},
		{
			`"token":"sim-apns-403-InvalidProviderToken-1"`,
			"401 UNAUTHENTICATED FcmError THIRD_PARTY_AUTH_ERROR ApnsError 403 InvalidProviderToken",
		},
		{`"token":"sim-apns-429-TooManyRequests-1"`, "429 RESOURCE_EXHAUSTED FcmError QUOTA_EXCEEDED ApnsError 429 TooManyRequests"},
		{`"token":"sim-apns-503-Shutdown-1"`, "503 UNAVAILABLE FcmError UNAVAILABLE ApnsError 503 Shutdown"},
		{`"token":"sim-devicequota-1-a"`, "429 RESOURCE_EXHAUSTED FcmError QUOTA_EXCEEDED QuotaFailure device"},
		{`"topic":"sim-topicquota-1-a"`, "429 RESOURCE_EXHAUSTED FcmError QUOTA_EXCEEDED QuotaFailure topic"},
		{`"token":"sim-credential-SERVICE_DISABLED-1"`, "403 PERMISSION_DENIED ErrorInfo SERVICE_DISABLED"},
		{`"token":"sim-credential-ACCESS_TOKEN_EXPIRED-1"`, "401 UNAUTHENTICATED ErrorInfo ACCESS_TOKEN_EXPIRED"},
	} {
		if got := detailsOf(t, post(t, client, sim.URL()+sendPath, `{"message":{`+tc.target+`}}`)); got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.target, got, tc.want)
		}
	}
	for _, target := range []string{
		`"token":"sim-apns-x-Unregistered-1"`, `"token":"sim-apns-410-Unregistered"`, `"token":"sim-credential-X"`,
		`"token":"sim-topicquota-1-a"`,
		`"topic":"sim-unregistered-1"`, `"topic":"sim-devicequota-1-a"`, `"token":"sim-devicequota-1-a"`, `"topic":"sim-topicquota-1-a"`,
		`"token":"sim-ios-1"`,
	} {
		if a := post(t, client, sim.URL()+sendPath, `{"message":{`+target+`}}`); a.status != 200 {
			t.Errorf("%s: %d, want it accepted", target, a.status)
		}
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	var c clock
	sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0", Now: c.now, Seed: 3})
	for name, p := range clients(t, sim) {
		sim.Reset()
		set := func(body string) {
			if a := post(t, http.DefaultClient, sim.AdminURL()+"/substitute", body); a.status != 204 {
				t.Fatalf("%s: %d %s", body, a.status, a.body)
			}
		}
		send := func() answer { return post(t, p.client, p.url+sendPath, toToken("t")) }

		set(`{"status":200,"body":"<html>Sign in","seconds":3}`)
		if a := send(); a.status != 200 || a.body != "<html>Sign in" || a.header.Get("Content-Type") != "text/html; charset=UTF-8" {
			t.Errorf("%s: %+v", name, a)
		}
		set(`{"status":204,"body":"ignored"}`)
		if a := send(); a.status != 204 || a.body != "" {
			t.Errorf("%s: %+v", name, a)
		}
		set(`{"status":200,"body":"{}","content_type":"application/json","gzip":true}`)
		if a := send(); a.body != "{}" { // Go's client unpacks it
			t.Errorf("%s: %+v", name, a)
		}
		if n := sim.Stats().Accepted; n != 0 {
			t.Errorf("%s: FCM took %d messages that never reached it", name, n)
		}
		set(`{"status":502,"body":"gone","record":true}`)
		if a := send(); a.status != 502 || sim.Stats().Accepted != 1 {
			t.Errorf("%s: %+v, %d accepted, want the message taken and its answer lost", name, a, sim.Stats().Accepted)
		}
		set(`{"status":200,"body":"x","seconds":3}`)
		c.advance(3 * time.Second)
		if a := send(); !strings.Contains(a.body, "messages/") {
			t.Errorf("%s: after its time: %+v", name, a)
		}
		set(`{"status":200,"body":"x","share":0.5}`)
		for range 100 {
			send()
		}
		if got := sim.Stats().ByCode["SUBSTITUTE"]; got < 20 || got > 80 {
			t.Errorf("%s: %d of 100 substituted, want about half", name, got)
		}
		set(`{"share":0}`)
		if a := send(); !strings.Contains(a.body, "messages/") {
			t.Errorf("%s: switched off: %+v", name, a)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	set := func(body string) {
		if a := post(t, client, sim.AdminURL()+"/refusal", body); a.status != 204 {
			t.Fatalf("%s: %d %s", body, a.status, a.body)
		}
	}
	all := func() map[string]int {
		got := map[string]int{}
		for _, token := range []string{"sim-ios-1", "sim-android-1", "sim-web-1", "other", "sim-unregistered-1"} {
			got[token] = post(t, client, sim.URL()+sendPath, toToken(token)).status
		}
		return got
	}
	want := map[string]int{"sim-ios-1": 200, "sim-android-1": 200, "sim-web-1": 200, "other": 200, "sim-unregistered-1": 404}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, all()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("nothing is refused")
	set(`{"platform":"ios","as":"third_party_auth"}`)
	want["sim-ios-1"] = 401
	check("no APNs key")
	set(`{"platform":"web","as":"topic"}`)
	want["sim-web-1"] = 400
	check("two platforms")
	set(`{"platform":"ios"}`)
	want["sim-ios-1"] = 200
	check("with an APNs key")
	set(`{"as":"sender_id"}`)
	want = map[string]int{"sim-ios-1": 403, "sim-android-1": 403, "sim-web-1": 400, "other": 403, "sim-unregistered-1": 403}
	check("wrong project")
	sim.Reset()
	want = map[string]int{"sim-ios-1": 200, "sim-android-1": 200, "sim-web-1": 200, "other": 200, "sim-unregistered-1": 404}
	check("reset")
	for as, details := range map[string]string{
		"too_large": "400 INVALID_ARGUMENT BadRequest FcmError INVALID_ARGUMENT",
		"field":     "400 INVALID_ARGUMENT BadRequest FcmError INVALID_ARGUMENT", "unspecified": "400 INVALID_ARGUMENT",
	} {
		set(`{"as":"` + as + `"}`)
		if got := detailsOf(t, post(t, client, sim.URL()+sendPath, toToken("t"))); got != details {
			t.Errorf("%s: got %s, want %s", as, got, details)
		}
	}
}
