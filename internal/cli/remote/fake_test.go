package remote

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/wire"
)

// fakeAPI is a server with one notification and one batch. A line of an upload
// is refused if it holds the word bad, and fails to be delivered if it holds
// the word gone. Everything started is completed at once, unless it hangs.
type fakeAPI struct {
	*httptest.Server
	mu      sync.Mutex
	state   client.State // of the batch
	lines   []string
	header  string // of the last CSV
	bad     int64
	bodies  map[string]string // last request body by method and path
	calls   []string
	queries []string // of the lists of notifications
	hangs   bool
	cuts    int      // connections that break while they upload
	away    int      // uploads that get 503
	plain   bool     // takes no compression
	codings []string // of the uploads
	asked   chan struct{}
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{bodies: map[string]string{}, asked: make(chan struct{}, 1000)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return f
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := r.Method + " " + r.URL.Path
	f.calls = append(f.calls, call)
	if r.Header.Get("Authorization") != "Bearer key-1" {
		clitest.Say(w, http.StatusUnauthorized, client.Problem{Title: "Unauthorized", Detail: "the API key is not known", Code: "unauthorized"})
		return
	}
	if call == "POST /v1/batches/bat_1/recipients" {
		f.upload(w, r)
		return
	}
	var body strings.Builder
	_, _ = bufio.NewReader(r.Body).WriteTo(&body)
	f.bodies[call] = body.String()
	if f.closeup(w, r, call) {
		return
	}
	if f.pauses(w, call) {
		return
	}
	switch call {
	case "GET /v1/quotas":
		f.queries = append(f.queries, r.URL.RawQuery)
		clitest.Say(w, http.StatusOK, client.QuotaList{Items: []client.Quota{
			{Quota: client.QuotaKeyRequests, Tenant: "acme", Key: "key:a", Limit: 5, Used: 1, Left: 4, Over: "refuse"},
			{Quota: client.QuotaRecipients, Tenant: "acme", App: "shop", Limit: 100, Used: 30, Left: 70, Over: "defer"},
		}})
		return
	case "POST /v1/notifications":
		if strings.Contains(f.bodies[call], `"validate_only":true`) {
			clitest.Say(w, http.StatusOK, checked())
			return
		}
		clitest.Say(w, http.StatusAccepted,
			client.Notification{ID: "ntf_1", State: "accepted", Priority: "normal", Recipients: 1, Warnings: f.warnings()})
	case "GET /v1/notifications/ntf_1", "POST /v1/notifications/ntf_1/cancel":
		n := f.batch()
		n.ID, n.State, n.Counts, n.Recipients, n.Received, n.Invalid = "ntf_1", "completed", &client.Counts{
			Accepted: 1, Sent: 1, ByCode: map[client.Code]int64{"sent": 1},
		}, 1, nil, nil
		n.Title, n.Sender, n.Message = "Hi", "key:9f86d081", json.RawMessage(`{"notification":{"title":"Hi"}}`)
		clitest.Say(w, http.StatusOK, n)
	case "GET /v1/notifications":
		f.queries = append(f.queries, r.URL.RawQuery)
		all := []client.Notification{
			f.batch(), {ID: "ntf_1", State: "sending", Title: "Hi", Sender: "key:9f86d081", Priority: "high", Recipients: 1234},
		}
		clitest.Say(w, http.StatusOK, client.NotificationList{Items: slices.DeleteFunc(all, func(n client.Notification) bool {
			return r.URL.Query().Get("kind") == "batch" && !strings.HasPrefix(n.ID, "bat")
		})})
	case "GET /v1/notifications/bat_1/deliveries":
		clitest.Say(w, http.StatusOK,
			client.DeliveryList{
				Items: []client.Delivery{{Line: 2, Class: client.Class(r.URL.Query().Get("class")), Code: client.Code(r.URL.Query().Get("code"))}},
			})
	case "POST /v1/batches":
		if f.state == "" {
			f.state = client.StateUploading
		}
		clitest.Say(w, http.StatusCreated, f.batch())
	case "POST /v1/batches/bat_1/start", "POST /v1/notifications/bat_1/resume":
		f.state = client.StateCompleted
		clitest.Say(w, http.StatusOK, f.batch())
	case "POST /v1/batches/bat_1/pause":
		f.state = client.StatePaused
		clitest.Say(w, http.StatusOK, f.batch())
	case "POST /v1/batches/bat_1/cancel":
		f.state = client.StateCancelled
		clitest.Say(w, http.StatusOK, f.batch())
	case "GET /v1/batches/bat_1":
		f.asked <- struct{}{}
		clitest.Say(w, http.StatusOK, f.batch())
	case "POST /v1/devices/import":
		clitest.Say(w, http.StatusOK, client.ImportResult{
			Imported: 2, Invalid: 1, Errors: []client.LineError{{Line: 3, Pointer: "/platform", Detail: "must be android, ios or web"}},
			Warned: 1, Warnings: []client.LineError{{Line: 2, Pointer: "/locale", Code: "ignored", Detail: "is not understood"}},
		})
	case "GET /v1/usage":
		f.queries = append(f.queries, r.URL.RawQuery)
		if r.Header.Get("Accept") == "text/csv" {
			w.Header().Set("Content-Type", "text/csv")
			_, _ = w.Write([]byte("tenant,app\nacme,shop\n"))
			return
		}
		clitest.Say(w, http.StatusOK, client.UsageList{Items: []client.Usage{{Tenant: "acme", App: "shop", Requests: 1, CostUSD: 0.5}}})
	case "GET /v1/devices":
		clitest.Say(w, http.StatusOK, client.DeviceList{Items: []client.Device{device(), {ID: "dev_2"}}})
	case "GET /v1/devices/dev_1":
		clitest.Say(w, http.StatusOK, device())
	default:
		clitest.Say(w, http.StatusNotFound, client.Problem{Title: "Not Found", Detail: "there is no such thing", Code: "not_found"})
	}
}

// checked answers validate_only.
func checked() client.Notification {
	return client.Notification{
		State: client.StateValid, Recipients: 8, Message: json.RawMessage(`{"notification":{"title":"x"}}`),
		Preview: &client.Preview{
			Sends: 4, ByPlatform: client.PlatformCounts{Android: 2, IOS: 1, Unknown: 1}, Unrecorded: 1,
			Quarantined: 1, Duplicates: 1, NoDevice: 2, NoDeviceNames: []string{"eve"},
			Sizes:      []client.MessageSize{{Platform: client.PlatformAndroid, Bytes: 142, Limit: 4096}},
			NotChecked: []string{"whether FCM accepts the tokens"},
		},
	}
}

// warnings of the last request.
func (f *fakeAPI) warnings() []client.Warning {
	if !strings.Contains(f.bodies["POST /v1/notifications"], "{{") {
		return nil
	}
	return []client.Warning{{Pointer: "/message/notification/title", Code: "placeholder", Detail: "has {{name}}"}}
}

func device() client.Device {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	return client.Device{
		ID: "dev_1", Token: "secret-token", UserID: "alice", Platform: "android", State: "quarantined", LastFailure: "fcm.unregistered",
		LastFailureAt: &at,
	}
}

// batch is how the batch stands.
func (f *fakeAPI) batch() client.Notification {
	received := int64(len(f.lines))
	c := client.Counts{ByCode: map[client.Code]int64{}}
	for _, line := range f.lines {
		if line == "" || strings.Contains(line, "bad") {
			continue
		}
		c.Accepted++
		switch {
		case f.state == client.StateUploading || f.hangs:
			c.Open++
		case strings.Contains(line, "gone"):
			c.Permanent++
			c.ByCode["fcm.unregistered"]++
		default:
			c.Sent++
			c.ByCode["sent"]++
		}
	}
	state := f.state
	if f.hangs && state == client.StateCompleted {
		state = "sending"
	}
	return client.Notification{
		ID: "bat_1", State: state, Priority: "bulk", Labels: map[string]string{"b": "2", "a": "1"},
		AcceptedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		Recipients: c.Accepted, Received: &received, Invalid: &f.bad, Counts: &c,
	}
}

func (f *fakeAPI) upload(w http.ResponseWriter, r *http.Request) {
	if f.state != client.StateUploading {
		clitest.Say(w, http.StatusConflict,
			client.Problem{Title: "Conflict", Detail: "bat_1 is " + string(f.state) + ": cannot upload", Code: "state"})
		return
	}
	if f.away > 0 {
		f.away--
		w.Header().Set("Retry-After", "0")
		clitest.Say(w, http.StatusServiceUnavailable, client.Problem{Title: "Unavailable", Code: "unavailable"})
		return
	}
	at, _ := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	var res client.UploadResult
	body := f.decoded(w, r)
	if f.plain && r.Header.Get("Content-Encoding") != "" {
		return
	}
	in := wire.NewRowReader(body, 1<<20) // for such lines, NDJSON is CSV without quotation marks
	if r.Header.Get("Content-Type") == "text/csv" && in.Next() == nil {
		f.header = string(in.Raw())
	}
	for ; !errors.Is(in.Next(), io.EOF); at++ {
		if at <= int64(len(f.lines)) {
			res.Skipped++
			continue
		}
		line := strings.TrimSuffix(string(in.Raw()), "\n")
		f.lines = append(f.lines, line)
		switch {
		case strings.Contains(line, "bad"):
			f.bad++
			res.Invalid++
			res.Errors = append(res.Errors, client.LineError{Line: at, Pointer: "/token", Detail: "must be printable ASCII"})
		case line == "":
			res.Skipped++
		default:
			res.Accepted++
		}
		if f.cuts > 0 {
			f.cuts--
			panic(http.ErrAbortHandler)
		}
	}
	res.Watermark = int64(len(f.lines))
	clitest.Say(w, http.StatusOK, res)
}

// decoded undoes the compression; a server without zstd refuses it.
func (f *fakeAPI) decoded(w http.ResponseWriter, r *http.Request) io.Reader {
	f.codings = append(f.codings, r.Header.Get("Content-Encoding"))
	if r.Header.Get("Content-Encoding") == "" {
		return r.Body
	}
	if f.plain {
		clitest.Say(w, http.StatusUnsupportedMediaType, client.Problem{Title: "Unsupported", Code: "unsupported_media_type"})
		return strings.NewReader("")
	}
	z, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return z
}
