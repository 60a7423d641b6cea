package request_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

func TestDecodeDevicePatchFaults(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:                                  " type",
		`null`:                                " type",
		`{"user"`:                             "/user syntax",
		`{"user":"a"}`:                        "/user unknown",
		`{"id":"b"}`:                          "/id reserved",
		`{"source":"api"}`:                    "/source reserved",
		`{"moved_from":"a"}`:                  "/moved_from reserved",
		`{"token":"a","fid":"b"}`:             " conflict",
		`{"token":null}`:                      " missing",
		`{"fid":null,"user_id":"u"}`:          " missing",
		`{"token":""}`:                        "/token value",
		`{"state":null}`:                      "/state value",
		`{"state":""}`:                        "/state value",
		`{"state":"dead"}`:                    "/state value",
		`{"platform":"windows"}`:              "/platform value",
		`{"user_id":1}`:                       "/user_id type",
		`{"attributes":""}`:                   "/attributes type",
		`{"attributes":{"a":1}}`:              "/attributes/a type",
		`{"attributes":{"":null}}`:            "",
		`{"user_id":"a","user_id":null}`:      "/user_id conflict",
		`{"user_id":"Fran` + "\xe7ois" + `"}`: "/user_id syntax",
	} {
		_, err := request.DecodeDevicePatch([]byte(body))
		var got []string
		faults, ok := errors.AsType[push.Faults](err)
		for _, f := range faults {
			got = append(got, f.Pointer+" "+f.Code)
		}
		if strings.Join(got, ", ") != want || ok != (err != nil) {
			t.Errorf("%s: got %q, want %q: %v", body, got, want, err)
		}
	}
}

// What decodes is a patch that never removes the address.
func FuzzDevicePatch(f *testing.F) {
	for _, s := range []string{`{}`, `{"token":"t"}`, `{"attributes":{"a":null}}`, `{"state":"active","user_id":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p, err := request.DecodeDevicePatch([]byte(body))
		if err != nil {
			return
		}
		if p.Address != nil && p.Address.Value == "" {
			t.Errorf("%q removes the address", body)
		}
		if !strings.Contains(body, "state") && p.State != nil {
			t.Errorf("%q changes the state to %q", body, *p.State)
		}
	})
}
