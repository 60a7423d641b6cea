package httpapi

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

const deliveriesPath = "/v1/notifications/" + ntfID + "/deliveries"

func TestListDeliveries(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.reports.deliveries = 250
	var page client.DeliveryList
	doortest.Decode(t, g.Do(t, "GET", deliveriesPath+"?code=fcm.unregistered&cursor=200&limit=50", "").Want(t, http.StatusOK, "").Body.Bytes(),
		&page)
	first := page.Items[0]
	if len(page.Items) != 50 || page.NextCursor != "" || first.Line != 201 || first.Class != "permanent" || first.Code != "fcm.unregistered" {
		t.Errorf("got %d items, next %q, first %+v", len(page.Items), page.NextCursor, first)
	}
	doortest.Decode(t, g.Do(t, "GET", deliveriesPath, "").Body.Bytes(), &page)
	if len(page.Items) != 100 || page.NextCursor != "100" {
		t.Errorf("default page: %d items, next %q", len(page.Items), page.NextCursor)
	}
}

func TestRefusedListings(t *testing.T) {
	t.Parallel()
	for target, pointer := range map[string]string{
		deliveriesPath + "?limit=0":                    "?limit",
		deliveriesPath + "?limit=1001":                 "?limit",
		deliveriesPath + "?limit=ten":                  "?limit",
		deliveriesPath + "?class=bad":                  "?class",
		deliveriesPath + "?code=bad":                   "?code",
		deliveriesPath + "?colour=red":                 "?colour",
		deliveriesPath + "?limit=1&limit=2":            "?limit",
		deliveriesPath + "?limit=%zz":                  "?",
		"/v1/notifications/" + ntfID + "?verbose=true": "?verbose",
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			got := setup(t).Do(t, "GET", target, "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
			if got.Problem.Errors[0].Pointer != pointer {
				t.Errorf("pointer: got %q, want %q", got.Problem.Errors[0].Pointer, pointer)
			}
		})
	}
}

func TestStreamDeliveries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target, accept string
		rows           int
	}{
		"all pages":       {deliveriesPath, "application/x-ndjson", 2500},
		"from a cursor":   {deliveriesPath + "?cursor=2400", "text/html;q=0.1, application/ndjson;q=0.9", 100},
		"bounded":         {deliveriesPath + "?limit=700", "application/x-ndjson", 700},
		"bounded, beyond": {deliveriesPath + "?limit=1000&cursor=2499", "application/x-ndjson", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.reports.deliveries = 2500
			got := g.Do(t, "GET", c.target, "", "Accept", c.accept).Want(t, http.StatusOK, "")
			if n := bytes.Count(got.Body.Bytes(), []byte("\n")); n != c.rows || got.Header().Get("Content-Type") != door.TypeNDJSON {
				t.Errorf("got %d rows of %q, want %d", n, got.Header().Get("Content-Type"), c.rows)
			}
		})
	}
}

func TestStreamOfNothing(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.Do(t, "GET", "/v1/notifications/"+batID+"/deliveries", "", "Accept", door.TypeNDJSON).Want(t, http.StatusNotFound, door.CodeNotFound)
	g.reports.view.Notification.ID = batID
	if got := g.Do(t, "GET", "/v1/batches/"+batID+"/report", "").Want(t, http.StatusOK, ""); got.Body.Len() != 0 {
		t.Errorf("got %s", got.Body)
	}
	g.Do(t, "GET", "/v1/batches/"+ntfID+"/report", "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

// A stream that fails after its beginning must not look whole: over a real
// connection its end is missing.
func TestCutStream(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.reports.deliveries, g.reports.failAt = 5000, 2000
	srv := httptest.NewServer(g)
	defer srv.Close()
	req, _ := http.NewRequest(http.MethodGet, srv.URL+deliveriesPath, nil)
	req.Header.Set("Accept", door.TypeNDJSON)
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err == nil {
		t.Errorf("a stream that failed ended well after %d bytes", body.Len())
	}
	if resp.StatusCode != http.StatusOK || bytes.Count(body.Bytes(), []byte("\n")) != 2000 {
		t.Errorf("status %d, %d lines", resp.StatusCode, bytes.Count(body.Bytes(), []byte("\n")))
	}
	srv.Close() // waits for the handler
	cut := g.logs.FilterField(zap.Bool("cut", true)).All()
	if len(cut) != 1 || cut[0].ContextMap()["error"] == nil {
		t.Errorf("logged %v", cut)
	}
}

func TestDeliveryView(t *testing.T) {
	t.Parallel()
	got := deliveryView(&report.Delivery{
		Line: 3, Chunk: 1, Index: 2, Code: push.CodeSent, PossibleDuplicate: true, Hash: 0xab,
		Attempts: []ledger.Attempt{{Attempt: 1, Code: push.CodeNetTimeout, At: testNow(), Latency: 1500 * time.Microsecond, Detail: "d"}},
	})
	if got.AddressHash != "00000000000000ab" || got.Class != "sent" || !got.PossibleDuplicate || got.Attempts[0].LatencyMS != 1.5 ||
		got.Attempts[0].Code != "net.timeout" {
		t.Errorf("got %+v", got)
	}
	if open := deliveryView(&report.Delivery{}); open.AddressHash != "" || open.Class != "open" || open.Code != "open" {
		t.Errorf("open: %+v", open)
	}
}

// A report has the refused lines behind the deliveries, or alone, or not at all
// when something else is asked for.
func TestReportOfInvalidLines(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][2]int{
		"": {3, 2100}, "?class=invalid": {0, 2100}, "?class=failed": {3, 2100}, "?class=sent": {3, 0}, "?code=sent": {3, 0},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.reports.view.Notification.ID, g.reports.deliveries, g.reports.invalid = batID, 3, 2100
			got := g.Do(t, "GET", "/v1/batches/"+batID+"/report"+query, "").Want(t, http.StatusOK, "").Body.String()
			if invalid := strings.Count(got, `"class":"invalid"`); invalid != want[1] || strings.Count(got, "\n")-invalid != want[0] {
				t.Errorf("%d rows, %d of them invalid, want %v", strings.Count(got, "\n"), invalid, want)
			}
			if want[1] > 0 &&
				!strings.HasSuffix(got, `{"line":2100,"class":"invalid","code":"value","pointer":"/token","detail":"must not be empty"}`+"\n") {
				t.Errorf("last row: %s", got[len(got)-120:])
			}
		})
	}
	setup(t).Do(t, "GET", deliveriesPath+"?class=invalid", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}
