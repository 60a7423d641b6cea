package httpapi

import (
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

func TestDeviceLife(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const one = "/v1/devices/phone-1"
	put := g.do(t, "PUT", one, `{"token":"tok","platform":"ios","user_id":"u1"}`).want(t, http.StatusOK, "")
	var d client.Device
	decode(t, put.Body.Bytes(), &d)
	if d.ID != "phone-1" || d.Token != "tok" || d.State != "active" {
		t.Errorf("put: %s", put.Body)
	}
	if got := g.do(t, "GET", one, "").want(t, http.StatusOK, ""); got.Body.String() != put.Body.String() {
		t.Errorf("get: %s", got.Body)
	}
	var list client.DeviceList
	decode(t, g.do(t, "GET", "/v1/devices?user_id=u1", "").want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 {
		t.Errorf("list: %+v", list)
	}
	decode(t, g.do(t, "GET", "/v1/devices?user_id=u2", "").want(t, http.StatusOK, "").Body.Bytes(), &list)
	if list.Items == nil || len(list.Items) != 0 {
		t.Errorf("another user's: %+v", list)
	}
	g.do(t, "POST", one+"/restore", "").want(t, http.StatusOK, "")
	g.do(t, "DELETE", one, "").want(t, http.StatusNoContent, "")
	g.do(t, "DELETE", one, "").want(t, http.StatusNotFound, codeNotFound)
	g.do(t, "GET", one, "").want(t, http.StatusNotFound, codeNotFound)
}

func TestRefusedDevices(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.do(t, "PUT", "/v1/devices/a", `{"id":"b","token":"t"}`).want(t, http.StatusUnprocessableEntity, codeInvalid)
	g.do(t, "PUT", "/v1/devices/a", `{"token":`).want(t, http.StatusBadRequest, codeMalformed)
	g.do(t, "PUT", "/v1/devices/a", `{"tokens":"t"}`).want(t, http.StatusUnprocessableEntity, codeInvalid)
	g.do(t, "PUT", "/v1/devices/a%20b", `{"token":"t"}`).want(t, http.StatusUnprocessableEntity, codeInvalid)
	g.do(t, "GET", "/v1/devices/a%2Fb", "").want(t, http.StatusNotFound, codeNotFound)
	g.do(t, "POST", "/v1/devices/a%20b/restore", "").want(t, http.StatusNotFound, codeNotFound)
	g.do(t, "GET", "/v1/devices?cursor=x", "").want(t, http.StatusBadRequest, codeCursor)
}

func TestImport(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.do(t, "POST", "/v1/devices/import", "{}\n{}\n", "Content-Type", typeNDJSON, "Idempotency-Key", "k").want(t, http.StatusOK, "")
	var res client.ImportResult
	decode(t, got.Body.Bytes(), &res)
	if res.Imported != 6 || res.Errors[0].Line != 2 || res.Errors[0].Pointer != "/id" {
		t.Errorf("got %+v", res)
	}
	again := g.do(t, "POST", "/v1/devices/import", "", "Idempotency-Key", "k").want(t, http.StatusOK, "")
	if again.Body.String() != got.Body.String() {
		t.Errorf("a repeat must get the first answer: %s", again.Body)
	}
}

func TestDeviceView(t *testing.T) {
	t.Parallel()
	v := deviceView(&push.Device{ID: "d", Address: push.Address{Kind: push.KindFID, Value: "f"}, LastFailure: push.CodeFCMUnregistered, QuarantinedAt: testNow()})
	if v.FID != "f" || v.Token != "" || v.LastFailure != "fcm.unregistered" || v.QuarantinedAt == nil || v.LastSuccessAt != nil {
		t.Errorf("got %+v", v)
	}
}
