package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestDeviceLife(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const one = "/v1/devices/phone-1"
	put := g.Do(t, "PUT", one, `{"token":"tok","platform":"ios","user_id":"u1"}`).Want(t, http.StatusOK, "")
	var d client.Device
	doortest.Decode(t, put.Body.Bytes(), &d)
	if d.ID != "phone-1" || d.Token != "tok" || d.State != "active" {
		t.Errorf("put: %s", put.Body)
	}
	if got := g.Do(t, "GET", one, "").Want(t, http.StatusOK, ""); got.Body.String() != put.Body.String() {
		t.Errorf("get: %s", got.Body)
	}
	var list client.DeviceList
	doortest.Decode(t, g.Do(t, "GET", "/v1/devices?user_id=u1", "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 {
		t.Errorf("list: %+v", list)
	}
	doortest.Decode(t, g.Do(t, "GET", "/v1/devices?user_id=u2", "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
	if list.Items == nil || len(list.Items) != 0 {
		t.Errorf("another user's: %+v", list)
	}
	g.Do(t, "POST", one+"/restore", "").Want(t, http.StatusOK, "")
	g.Do(t, "DELETE", one, "").Want(t, http.StatusNoContent, "")
	g.Do(t, "DELETE", one, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "GET", one, "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

func TestPatchDevice(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const one = "/v1/devices/phone-1"
	g.Do(t, "PATCH", one, `{"user_id":"u2"}`).Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "PUT", one, `{"token":"tok","user_id":"u1","attributes":{"a":"1","b":"2"}}`).Want(t, http.StatusOK, "")
	for _, kind := range []string{door.TypeMergePatch, door.TypeJSON, "Application/Merge-Patch+JSON; charset=utf-8"} {
		var d client.Device
		got := g.Do(t, "PATCH", one, `{"locale":"de","attributes":{"a":null}}`, "Content-Type", kind).Want(t, http.StatusOK, "")
		doortest.Decode(t, got.Body.Bytes(), &d)
		if d.UserID != "u1" || d.Locale != "de" || d.Token != "tok" || len(d.Attributes) != 1 {
			t.Errorf("%s: %s", kind, got.Body)
		}
	}
	g.Do(t, "PUT", "/v1/devices/phone-2", `{"token":"other"}`).Want(t, http.StatusOK, "")
	for _, method := range []string{"PATCH", "PUT"} { // a PATCH needs the registration, which the loop takes away
		g.Do(t, "PUT", "/v1/devices/phone-2", `{"token":"other"}`).Want(t, http.StatusOK, "")
		var d client.Device
		doortest.Decode(t, g.Do(t, method, one, `{"token":"other"}`).Want(t, http.StatusOK, "").Body.Bytes(), &d)
		if d.MovedFrom != "phone-2" {
			t.Errorf("%s: the address was that of %q", method, d.MovedFrom)
		}
		g.Do(t, "GET", "/v1/devices/phone-2", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	}
	g.Do(t, "PATCH", one, `{"token":null}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "PATCH", one, `{"user":"u"}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "PATCH", one, `{`).Want(t, http.StatusBadRequest, door.CodeMalformed)
	g.Do(t, "PATCH", one, `[]`, "Content-Type", "application/json-patch+json").Want(t, http.StatusUnsupportedMediaType, door.CodeMediaType)
}

func TestRefusedDevices(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.Do(t, "PUT", "/v1/devices/a", `{"id":"b","token":"t"}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "PUT", "/v1/devices/a", `{"token":`).Want(t, http.StatusBadRequest, door.CodeMalformed)
	g.Do(t, "PUT", "/v1/devices/a", `{"tokens":"t"}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "PUT", "/v1/devices/a%20b", `{"token":"t"}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "GET", "/v1/devices/a%2Fb", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "POST", "/v1/devices/a%20b/restore", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "GET", "/v1/devices?cursor=x", "").Want(t, http.StatusBadRequest, door.CodeCursor)
}

// A device is registered whatever its client reports of language and time zone.
func TestPutDeviceAsReported(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for reported, want := range map[string]struct{ locale, timezone, warnings string }{
		`"locale":"zh_TW_#Hant","timezone":"GMT+05:30"`: {"zh-Hant-TW", "+05:30", ""},
		`"locale":"iw_IL","timezone":"asia/calcutta"`:   {"he-IL", "Asia/Kolkata", ""},
		`"locale":"","timezone":null`:                   {"", "", ""},
		`"locale":"C","timezone":"IST"`:                 {"", "", "/locale ignored, /timezone ignored"},
		`"locale":"de","timezone":"../etc/passwd"`:      {"de", "", "/timezone ignored"},
	} {
		var d client.Device
		doortest.Decode(t, g.Do(t, "PUT", "/v1/devices/a", `{"token":"t",`+reported+`}`).Want(t, http.StatusOK, "").Body.Bytes(), &d)
		var warnings []string
		for _, w := range d.Warnings {
			warnings = append(warnings, w.Pointer+" "+w.Code)
		}
		if d.Locale != want.locale || d.Timezone != want.timezone || strings.Join(warnings, ", ") != want.warnings {
			t.Errorf("%s: got %q, %q, %q", reported, d.Locale, d.Timezone, warnings)
		}
	}
	g.Do(t, "PUT", "/v1/devices/a", `{"token":"t","locale":1}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "PUT", "/v1/devices/a", `{"token":"t","timezone":330}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}

func TestImport(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.Do(t, "POST", "/v1/devices/import", `{"token":"t"}`+"\n{}\n", "Content-Type", door.TypeNDJSON, "Idempotency-Key", "k").Want(
		t, http.StatusOK, "",
	)
	var res client.ImportResult
	doortest.Decode(t, got.Body.Bytes(), &res)
	if res.Imported != 1 || res.Invalid != 1 || res.Errors[0].Line != 2 || res.Errors[0].Code != "missing" {
		t.Errorf("got %+v", res)
	}
	again := g.Do(t, "POST", "/v1/devices/import", "", "Idempotency-Key", "k").Want(t, http.StatusOK, "")
	if again.Body.String() != got.Body.String() {
		t.Errorf("a repeat must get the first answer: %s", again.Body)
	}
}

func TestDeviceView(t *testing.T) {
	t.Parallel()
	v := deviceView(&push.Device{
		ID: "d", Address: push.Address{Kind: push.KindFID, Value: "f"}, LastFailure: push.CodeFCMUnregistered, QuarantinedAt: testNow(),
	})
	if v.FID != "f" || v.Token != "" || v.LastFailure != "fcm.unregistered" || v.QuarantinedAt == nil || v.LastSuccessAt != nil {
		t.Errorf("got %+v", v)
	}
}
