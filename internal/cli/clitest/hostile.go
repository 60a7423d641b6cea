package clitest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/belfry-push/belfry/client"
)

// hostile is in every text that the server of these tests sends.
const hostile = "x\x1b[2J\x1b]0;t\x07\r\b\u009b31m\x7f\u202e\u2028\u200b\nforged line\tz"

// fill sets every field to something, texts to the hostile one.
func fill(v reflect.Value, depth int) {
	switch {
	case depth > 12:
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1e9, 0)))
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		raw, _ := json.Marshal(map[string]string{hostile: hostile})
		v.Set(reflect.ValueOf(json.RawMessage(raw)))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case v.Kind() == reflect.Struct:
		for i, f := range v.Fields() {
			name := i.Name
			if !f.CanSet() || name == "NextCursor" || name == "More" {
				continue
			}
			fill(f, depth+1)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.SetMapIndex(key, value)
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf(hostile))
	case v.Kind() == reflect.String:
		v.SetString(hostile)
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.CanFloat():
		v.SetFloat(0.5)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	}
}

// HostileAPI returns the URL of a server that answers every route with texts that
// would drive a terminal, and problem documents of such.
func HostileAPI(t *testing.T) string {
	t.Helper()
	routes := []struct {
		path string
		body any
	}{
		{`^/v1/(notifications|batches)$`, &client.NotificationList{}},
		{`/deliveries$`, &client.DeliveryList{}},
		{`/deliveries/`, &client.Trace{}},
		{`/recipients$`, &client.UploadResult{}},
		{`^/v1/devices$`, &client.DeviceList{}},
		{`^/v1/devices/import`, &client.ImportResult{}},
		{`^/v1/devices/`, &client.Device{}},
		{`^/v1/status$`, &client.Status{}},
		{`^/v1/dead-letters$`, &client.DeadLetterList{}},
		{`^/v1/dead-letters/groups`, &client.DeadLetterGroups{}},
		{`^/v1/dead-letters/stats`, &client.DeadLetterStats{}},
		{`^/v1/dead-letters/drain`, &client.Drained{}},
		{`^/v1/dead-letters/`, &client.DeadLetter{}},
		{`^/v1/simulations`, &client.Simulation{}},
		{`^/v1/replays$`, &client.ReplayList{}},
		{`^/v1/replays/`, &client.Replay{}},
		{`^/v1/(notifications|batches)/`, &client.Notification{}},
	}
	for i := range routes {
		fill(reflect.ValueOf(routes[i].body).Elem(), 0)
		switch body := routes[i].body.(type) { // commands wait for these
		case *client.Notification:
			body.State = client.StateCompleted
		case *client.Replay:
			body.State = "completed"
		case *client.Drained:
			body.More = false
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range routes {
			if !regexp.MustCompile(route.path).MatchString(r.URL.Path) || strings.HasSuffix(r.URL.Path, "/evil") {
				continue
			}
			body := route.body
			if r.Method == http.MethodPost && strings.HasSuffix(route.path, "$") && strings.Contains(route.path, "batches)$") {
				body = &client.Notification{ID: "ntf_1", State: client.StateCompleted, Labels: map[string]string{hostile: hostile}}
			}
			Say(w, http.StatusOK, body)
			return
		}
		p := client.Problem{}
		fill(reflect.ValueOf(&p).Elem(), 0)
		p.Status = http.StatusConflict
		Say(w, http.StatusConflict, p)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return srv.URL
}

// ShowsAll fails the test if the text has a character that a terminal obeys, or a
// line that the server made.
func ShowsAll(t *testing.T, command, text string, replayer bool) {
	t.Helper()
	if text == "" {
		t.Errorf("%q printed nothing", command)
	}
	cells := strings.HasSuffix(command, "csv") // in quotation marks, line breaks and tabs are a cell's own
	for i, r := range text {
		if cells && r == '\t' {
			continue
		}
		if r != '\n' && (unicode.IsControl(r) || r == '\u202e' || r == '\u2028' || r == '\u200b') {
			t.Errorf("%q (dlq-replayer: %v) printed %q at byte %d of\n%q", command, replayer, r, i, text)
			return
		}
	}
	if !cells && strings.Contains(text, "\nforged line") {
		t.Errorf("%q printed a line that the server made:\n%s", command, text)
	}
}
