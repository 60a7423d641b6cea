package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
)

// withPrivacy gives the API a room of privacy that knows one device, one delivery and two dead letters of alice.
func withPrivacy(t *testing.T) func(*Config) {
	t.Helper()
	docs := &documenttest.Memory{}
	keys, err := privacy.LoadKeys(t.Context(), docs, testNow())
	if err != nil {
		t.Fatal(err)
	}
	lines, letters := &ledgertest.Memory{}, &letterstest.Memory{}
	to := push.Address{Kind: push.KindFID, Value: "fid-alice"}
	ref := push.ChunkRef{Notification: ntfID}
	lines.PutNotification(push.Notification{
		ID: ntfID, Tenant: "default", Target: push.Target{FIDs: []push.Token{"fid-alice"}}, Message: push.Message(`{"data":{}}`),
		AcceptedAt: testNow(),
		Progress:   push.Progress{Pages: 1, Sources: 1},
	})
	plan := ledger.Plan{Ref: ref, Hashes: []uint64{to.Hash()}, Cells: []ledger.Cell{ledger.CellOf(push.CodeSent, true)}}
	lines.PutPlan(plan)
	lines.PutLine(ledger.NewLine(plan, testNow()))
	lines.PutAttempts(ref, []ledger.Attempt{{Attempt: 1, Code: push.CodeSent, At: testNow(), Detail: "projects/p/messages/1"}})
	_, err = letters.PutLetters(t.Context(), []push.Letter{
		{
			ID: "dlt_1", Kind: push.LetterRecipient, Tenant: "default", Recipient: push.Recipient{Address: to, UserID: "alice"},
			State: push.LetterParked,
		},
		{ID: "dlt_2", Kind: push.LetterMessage, Tenant: "default", Body: []byte(`["alice","bobs-token"]`), State: push.LetterParked},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) {
		devices := &devicetest.Memory{}
		c.Devices = device.New(device.Config{
			Writer: devices, Finder: devices, Log: zap.NewNop(), Metrics: device.NewMetrics(prometheus.NewRegistry()), Now: testNow,
		})
		c.Privacy = privacy.New(privacy.Config{
			Devices: devices, Notifications: lines, Chunks: lines, Pages: &batchtest.Memory{}, Letters: letters, Documents: docs, Keys: keys,
			Tombstones: privacy.NewTombstones(docs, keys, zap.NewNop(), testNow), Log: zap.NewNop(), Now: testNow,
		})
	}
}

func TestPrivacyExport(t *testing.T) {
	t.Parallel()
	g := setup(t, withPrivacy(t))
	g.Do(t, "PUT", "/v1/devices/phone-1", `{"fid":"fid-alice","platform":"ios","user_id":"alice"}`).Want(t, http.StatusOK, "")
	created := g.Do(t, "POST", "/v1/privacy-requests", `{"action":"export","user_id":"alice","reference":"t-1"}`).
		Want(t, http.StatusAccepted, "")
	var q client.PrivacyRequest
	doortest.Decode(t, created.Body.Bytes(), &q)
	if q.State != client.PrivacyReady || q.ExpiresAt == nil || created.Header().Get("Location") != "/v1/privacy-requests/"+q.ID {
		t.Errorf("created: %s", created.Body)
	}
	var rows []client.PrivacyRow
	body := g.Do(t, "GET", "/v1/privacy-requests/"+q.ID+"/export", "").Want(t, http.StatusOK, "").Body.String()
	for line := range strings.Lines(body) {
		var row client.PrivacyRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if len(rows) != 5 || rows[0].Device == nil || rows[1].Delivery == nil || rows[4].Receipt == nil {
		t.Fatalf("export: %s", body)
	}
	if d := rows[1].Delivery; d.Code != client.CodeSent || !d.PossibleDuplicate || len(d.Attempts) != 1 || string(d.Message) != `{"data":{}}` {
		t.Errorf("delivery: %+v", d)
	}
	if strings.Contains(body, "bobs-token") {
		t.Error("the export shows others")
	}
	if err := rows[4].Receipt.Verify(rows[4].Receipt.PublicKey); err != nil || rows[4].Receipt.Counts.DeadLetters != 2 {
		t.Errorf("receipt %+v: %v", rows[4].Receipt, err)
	}
	doortest.Decode(t, g.Do(t, "GET", "/v1/privacy-requests/"+q.ID, "").Want(t, http.StatusOK, "").Body.Bytes(), &q)
	if q.Receipt == nil || q.Reference != "t-1" {
		t.Errorf("after the export: %+v", q)
	}
}

func TestPrivacyRequests(t *testing.T) {
	t.Parallel()
	g := setup(t, withPrivacy(t))
	const all = "/v1/privacy-requests"
	var q client.PrivacyRequest
	doortest.Decode(t, g.Do(t, "POST", all, `{"action":"erase","tokens":["t"],"since":"2026-11-01T00:00:00Z"}`).
		Want(t, http.StatusAccepted, "").Body.Bytes(), &q)
	if q.State != client.PrivacyRunning {
		t.Errorf("erasure: %+v", q)
	}
	g.Do(t, "GET", all+"/"+q.ID+"/export", "").Want(t, http.StatusConflict, door.CodeState)
	var list client.PrivacyList
	doortest.Decode(t, g.Do(t, "GET", all+"?limit=10", "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 || list.Items[0].ID != q.ID {
		t.Errorf("list: %+v", list)
	}
	for body, pointer := range map[string]string{
		`{"action":"forget","user_id":"u"}`: "/action", `{"action":"erase"}`: "", `{"action":"erase","tokens":["a b"]}`: "/tokens/0",
		`{"action":"erase","user":"u"}`: "/user",
	} {
		got := g.Do(t, "POST", all, body).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		if len(got.Problem.Errors) == 0 || got.Problem.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v", body, got.Problem.Errors)
		}
	}
	for _, path := range []string{"/prv_x", "/prv_01890a5d-ac96-774b-bcce-b302099a8057", "/prv_01890a5d-ac96-774b-bcce-b302099a8057/export"} {
		g.Do(t, "GET", all+path, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	}
}
