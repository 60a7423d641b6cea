package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/test/raced"
)

// onTerminal runs a command line on a terminal of so many columns, without colours
// unless it asks for them.
func onTerminal(ctx context.Context, api string, width int, args ...string) string {
	var out bytes.Buffer
	env := map[string]string{"BELFRY_API": api, "BELFRY_API_KEY": "key-1"}
	p := command.Program{
		Name: "belfry", Grammar: &struct {
			Commands Commands `embed:""`
			command.Common
		}{},
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	p.Run(ctx, args, &display.Console{
		In: strings.NewReader(""), Out: &out, Err: &out, Width: width,
		Now: func() time.Time { return time.Date(2026, 11, 1, 13, 0, 0, 0, time.UTC) },
	})
	return out.String()
}

// listing is a server with long and short things in its lists.
func listing(t *testing.T) string {
	t.Helper()
	at := time.Date(2026, 11, 1, 12, 57, 0, 0, time.UTC)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/notifications":
			all := []client.Notification{
				{
					Title: "Autumn sale: everything must go", Sender: "/shop/campaigns", Counts: &client.Counts{Accepted: 1_000_000, Sent: 987_654},
					ID: "bat_01890a5d-ac96-774b-bcce-b302099a8058", State: "completed", Priority: "bulk", Recipients: 1_000_000, AcceptedAt: at,
					Labels: map[string]string{"campaign": "autumn-sale-for-everybody", "owner": "marketing", "region": "emea"},
				},
				{ID: "ntf_01890a5d-ac96-774b-bcce-b302099a8059", State: "held", Priority: "high", Recipients: 3, AcceptedAt: at.Add(-50 * time.Hour)},
			}
			if r.URL.Query().Get("kind") == string(client.KindBatch) {
				all = all[:1]
			}
			clitest.Say(w, http.StatusOK, client.NotificationList{Items: all})
		case "/v1/usage":
			clitest.Say(w, http.StatusOK, client.UsageList{Items: []client.Usage{
				{
					Tenant: "a-tenant-with-quite-a-long-name", App: "an-app-with-quite-a-long-name-too", Day: "2026-11-20", Requests: 1_234,
					Recipients: 12_345_678, Sent: 12_000_000, Permanent: 300_000, Open: 45_678, Invalid: 3,
					BillableUnits: 12_000_000, CostUSD: 1.610012345,
				},
				{
					Tenant: "zoo", App: "default", Day: "2026-11-21", Requests: 1, Recipients: 1, Sent: 1, BillableUnits: 1, CostUSD: 0.000011,
					Final: true,
				},
			}})
		case "/v1/devices":
			if r.URL.Query().Get("user_id") == "nobody" {
				clitest.Say(w, http.StatusOK, client.DeviceList{})
				return
			}
			clitest.Say(w, http.StatusOK, client.DeviceList{Items: []client.Device{
				{
					ID: "dev_01890a5d-ac96-774b-bcce-b302099a8058", UserID: "someone.with.a.long.name@example.com", Platform: "ios", State: "quarantined",
					Locale: "zh-Hant-TW", LastSuccessAt: &at, LastFailureAt: &at, LastFailure: "apns.bad_device_token",
				},
				{ID: "d2", UserID: "bob", Platform: "android", State: "active"},
			}})
		default:
			clitest.Say(w, http.StatusNotFound, client.Problem{Title: "No such resource", Code: "not_found", Detail: "it does not exist"})
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return srv.URL
}

// Tables fit the terminal, and say what they leave out.
func TestTablesAtWidths(t *testing.T) {
	t.Parallel()
	api := listing(t)
	for _, width := range []int{80, 100, 160}[:raced.Rounds(3)] {
		var all strings.Builder
		for _, args := range []string{
			"notification list", "notification list -o wide", "batch list", "devices list", "devices list -o wide", "devices list --user nobody",
			"usage", "usage -o wide",
		} {
			text := onTerminal(t.Context(), api, width, strings.Fields(args)...)
			all.WriteString("$ belfry " + args + "\n" + text + "\n")
			if !strings.HasSuffix(args, "wide") {
				clitest.Fits(t, args, text, width)
			}
		}
		clitest.Golden(t, "tables-"+strconv.Itoa(width)+".txt", all.String())
	}
	text := onTerminal(t.Context(), api, 0, "batch", "list")
	if strings.Contains(text, "not shown") || !strings.Contains(text, "region=emea") ||
		strings.Contains(text, "ntf_") {
		t.Errorf("where there is no terminal something is left out, or it is no batch:\n%s", text)
	}
	if text = onTerminal(t.Context(), api, 100, "notification", "list", "--color", "always"); !strings.Contains(text, "\x1b[32mcompleted") {
		t.Errorf("no colours: %q", text)
	}
}

func TestDeviceCommands(t *testing.T) {
	t.Parallel()
	var calls []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		calls = append(calls, r.Method+" "+r.URL.Path+" "+body.String())
		switch {
		case strings.Contains(r.URL.Path, "gone"):
			clitest.Say(w, http.StatusNotFound, client.Problem{Code: "not_found", Detail: "it does not exist"})
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case strings.HasPrefix(r.URL.Path, "/v1/notifications/"):
			clitest.Say(w, http.StatusOK, client.Notification{ID: "ntf_1", State: "paused"})
		case r.Method == http.MethodPatch:
			clitest.Say(w, http.StatusOK, client.Device{ID: "d1", MovedFrom: "d0"})
		default:
			clitest.Say(w, http.StatusOK, client.Device{ID: "d1", State: "active"})
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	run := func(in, args string) clitest.Result {
		return belfry(t.Context(), srv.URL, strings.NewReader(in), strings.Fields(args)...)
	}
	run("", "devices put d1 --token t --platform ios --user ada --attribute a=b").Expect(t, display.ExitOK, `"id": "d1"`)
	run(`{"token":"t","locale":"de-AT","state":"quarantined","created_at":"2026-11-01T12:00:00Z"}`, "devices put d1 -").
		Expect(t, display.ExitOK)
	run("", "devices patch d1 --user= --locale de-AT --attribute plan=gold --remove-attribute trial --state active").
		Expect(t, display.ExitOK, `"moved_from": "d0"`, "the address was that of device d0, which is removed")
	run("", "devices restore d1").Expect(t, display.ExitOK, `"state": "active"`)
	run("", "devices delete d1 gone d2").Expect(t, display.ExitFailure, "d1 deleted", "gone is not registered", "d2 deleted")
	run("", "notification pause ntf_1").Expect(t, display.ExitOK, "paused")
	want := []string{
		`PUT /v1/devices/d1 {"token":"t","platform":"ios","user_id":"ada","attributes":{"a":"b"}}`,
		`PUT /v1/devices/d1 {"token":"t","locale":"de-AT"}`,
		`PATCH /v1/devices/d1 {"user_id":"","locale":"de-AT","attributes":{"plan":"gold","trial":null},"state":"active"}`,
		"POST /v1/devices/d1/restore ", "DELETE /v1/devices/d1 ",
		"DELETE /v1/devices/gone ", "DELETE /v1/devices/d2 ", "POST /v1/notifications/ntf_1/pause ",
	}
	if got := strings.Join(calls, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("calls\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	run("", "devices put d1").Expect(t, display.ExitUsage, "nothing to register: give --token or --fid, or a FILE")
	run("", "devices patch d1").Expect(t, display.ExitUsage, "nothing to change: give a flag such as --user")
	run("", "devices patch d1 --attribute a=b --remove-attribute a").Expect(t, display.ExitUsage, `attribute "a" is both set and removed`)
	run("{}", "devices put d1 - --token t").Expect(t, display.ExitUsage, "not both")
	run(`{"tokn":"t"}`, "devices put d1 -").Expect(t, display.ExitUsage, `unknown field "tokn"; did you mean "token"?`)
	run(`[]`, "devices put d1 -").Expect(t, display.ExitUsage, "must be a JSON object")
	run(`{"token":"a","token":"b"}`, "devices put d1 -").Expect(t, display.ExitUsage, "/token: is there twice")
}

// What is wrong between this program and a server is said with what to do next.
func TestWrongServers(t *testing.T) {
	t.Parallel()
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = zap.NewStdLog(zap.NewNop()) // of the handshakes that fail here
	tls.StartTLS()
	answer := func(status int, kind, body string, header ...string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	t.Cleanup(tls.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	device, err := json.Marshal(client.Device{ID: "d"})
	if err != nil {
		t.Fatal(err)
	}
	plain := answer(http.StatusOK, "text/html", "<html>")
	refuses := func(status int, code string) string {
		return answer(status, "application/problem+json", `{"code":"`+code+`","title":"no"}`)
	}
	for _, tt := range []struct {
		name, url string
		want      string
	}{
		{"https to plain HTTP", "https" + strings.TrimPrefix(plain, "http"), "The server speaks plain HTTP: begin its URL with http://"},
		{"http to TLS", "http" + strings.TrimPrefix(tls.URL, "https"), "The server speaks TLS: begin its URL with https://"},
		{"a stranger's certificate", tls.URL, "signed by nobody whom this machine trusts: name the authority's certificate with SSL_CERT_FILE"},
		{"nobody", "http://127.0.0.1:1", "Nothing listens at "},
		{"no such host", "http://host.invalid", "There is no host host.invalid: check the name"},
		{"another program", plain, "is not Belfry but another program: it sent text/html"},
		{"another program refuses", answer(http.StatusTeapot, "text/plain", "tea"), "It was not Belfry that answered at "},
		{"an old server", refuses(http.StatusNotFound, "route_not_found"), "it is older than this program, or the URL has a path"},
		{"another tenant's", refuses(http.StatusNotFound, "not_found"), "Another key may be another tenant's"},
		{"a wrong key", refuses(http.StatusUnauthorized, "unauthenticated"), "The server does not know this key"},
		{
			"another version", answer(http.StatusOK, "application/json", string(device), client.VersionHeader, "v7.1.0"),
			"is Belfry v7.1.0 and this program is devel",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := belfry(t.Context(), tt.url, nil, "devices", "get", "d")
			if !strings.Contains(r.Err, tt.want) {
				t.Errorf("nothing says %q:\n%s", tt.want, r.Err)
			}
			if n := strings.Count(r.Err, "this program is devel"); n > 1 {
				t.Errorf("the version is told %d times", n)
			}
		})
	}
	var errs bytes.Buffer
	con := &display.Console{Err: &errs, Out: &errs}
	api, err := con.Connect("belfry", display.Server{URL: refuses(http.StatusUnauthorized, "unauthenticated")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.Device(t.Context(), "d")
	con.Fail("belfry devices get", err)
	if !strings.Contains(errs.String(), "none was given: set BELFRY_API_KEY") {
		t.Errorf("without a key: %s", errs.String())
	}
}
