package remote

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// privacyAPI is a server with one erasure, which is done when it is looked at for the second time,
// and one export; cut leaves the export's receipt out.
type privacyAPI struct {
	*httptest.Server

	looks int
	cut   bool
	order string
}

func newPrivacyAPI(t *testing.T) *privacyAPI {
	t.Helper()
	f := &privacyAPI{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return f
}

func (f *privacyAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	created := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	q := client.PrivacyRequest{ID: "prv_1", Action: client.PrivacyErase, State: client.PrivacyRunning, By: "support", CreatedAt: created}
	receipt := &client.PrivacyReceipt{Request: "prv_1", Action: client.PrivacyErase, PublicKey: "AAAA"}
	receipt.Counts.Devices = 2
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/privacy-requests":
		body, _ := io.ReadAll(r.Body)
		f.order = string(body)
		clitest.Say(w, http.StatusAccepted, q)
	case "GET /v1/privacy-requests":
		clitest.Say(w, http.StatusOK, client.PrivacyList{Items: []client.PrivacyRequest{q}})
	case "GET /v1/privacy-requests/prv_1":
		if f.looks++; f.looks > 1 {
			q.State, q.Receipt = client.PrivacyDone, receipt
		}
		clitest.Say(w, http.StatusOK, q)
	case "GET /v1/privacy-requests/prv_1/export":
		w.Header().Set("Content-Type", "application/x-ndjson")
		rows := []client.PrivacyRow{{Device: &client.Device{ID: "phone-1"}}, {Receipt: receipt}}
		if f.cut {
			rows = rows[:1]
		}
		for _, row := range rows {
			_ = json.NewEncoder(w).Encode(row)
		}
	default:
		clitest.Say(w, http.StatusNotFound, client.Problem{Code: "not_found"})
	}
}

func TestPrivacyCommands(t *testing.T) {
	t.Parallel()
	api := newPrivacyAPI(t)
	run := func(args ...string) clitest.Result {
		return belfry(t.Context(), api.URL, nil, append([]string{"privacy"}, args...)...)
	}
	run("erase").Expect(t, display.ExitUsage, "name the person")
	run("erase", "--user", "alice", "--no-wait").Expect(t, display.ExitOK, `"state": "running"`)
	run("erase", "--user", "alice", "--token", "t", "--reference", "t-1").Expect(t, display.ExitOK, "nothing more is sent", `"devices": 2`)
	if !strings.Contains(api.order, `"tokens":["t"]`) || !strings.Contains(api.order, `"reference":"t-1"`) {
		t.Errorf("ordered %s", api.order)
	}
	again := clitest.File(t, "again.json", `{"request":"prv_0","hashes":["h"]}`)
	run("erase", "--receipt", again, "--no-wait").Expect(t, display.ExitOK, "running")
	if !strings.Contains(api.order, `"request":"prv_0"`) {
		t.Errorf("ordered %s", api.order)
	}
	run("show", "prv_1").Expect(t, display.ExitOK, `"receipt"`)
	run("list").Expect(t, display.ExitOK, "prv_1", "running", "support")
	run("list", "-o", "json").Expect(t, display.ExitOK, `"id":"prv_1"`)
	run("export", "--device", "phone-1").Expect(t, display.ExitOK, `{"device":{"id":"phone-1"`, `{"receipt":`)
	api.cut = true
	run("export", "--fid", "f").Expect(t, display.ExitFailure, "cut off")

	receipt := clitest.File(t, "receipt.json", `{"request":"prv_1","public_key":"AAAA","signature":"AAAA"}`)
	run("verify", receipt).Expect(t, display.ExitFailure, "no Ed25519 key")
	run("verify", receipt, "--public-key", "BBBB").Expect(t, display.ExitFailure, "another key")
	run("verify", clitest.File(t, "no.json", `[]`)).Expect(t, display.ExitUsage, "no receipt")
}
