package credential_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

func TestPut(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	c := r.put(t, "acme-prod", 0)
	if c.State != credential.Valid || c.Project != "acme-prod" || c.KeyID != "key-acme-prod" || c.By != "key:1" || c.Since.IsZero() ||
		len(c.Fingerprint) != 16 || !strings.HasPrefix(c.SealKey, "local:") || c.Label() != "acme-prod#"+c.Fingerprint[:8] {
		t.Errorf("%+v", c)
	}
	got, err := r.Get(t.Context(), shop)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(c) {
		t.Errorf("%+v, %v", got, err)
	}
	open, err := r.Open(t.Context(), shop, "")
	if err != nil || !bytes.Contains(open.File, []byte("PRIVATE KEY")) || bytes.Contains(open.File, []byte("canary")) {
		t.Errorf("%v, %v", open, err)
	}
	if again, err := r.Open(t.Context(), shop, open.Serial); err != nil || again.File != nil {
		t.Errorf("%v, %v", again, err)
	}
	next := r.put(t, "acme-prod", 1)
	if next.Serial == c.Serial || next.Fingerprint == c.Fingerprint {
		t.Errorf("%+v after %+v", next, c)
	}
	if err := r.Delete(t.Context(), shop); err != nil {
		t.Error(err)
	}
	for _, err := range []error{r.Delete(t.Context(), shop), second(r.Get(t.Context(), shop)), second(r.Open(t.Context(), shop, ""))} {
		if !errors.Is(err, push.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
	}
	if _, err := r.Get(t.Context(), credential.Ref{Tenant: "acme", App: "../x"}); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("a name that is none: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestPutRefused: each refusal says what is wrong, stores nothing and repeats nothing.
func TestPutRefused(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(map[string]string) { return func(f map[string]string) { f[name] = value } }
	for _, c := range []struct {
		name string
		file []byte // nil: a good one
		tune func(r *rig, c *credential.Config)
		want string
	}{
		{"no key file", []byte("{}"), nil, "no service-account key file"},
		{"too large", make([]byte, 70<<10), nil, "64 KiB"},
		{"no project", keyFile(t, "acme-prod", 0, set("project_id", "")), nil, "project_id must be"},
		{"a path", keyFile(t, "acme-prod", 0, set("project_id", "a/../../b")), nil, "project_id must be"},
		{
			"a token endpoint inside", keyFile(t, "acme-prod", 0, set("token_uri", "http://169.254.169.254/")), nil,
			"token_uri must be Google's",
		},
		{"no key", keyFile(t, "acme-prod", 0, set("private_key", "x")), nil, "no RSA key"},
		{
			"refused by Google", nil,
			func(r *rig, _ *credential.Config) { r.google.refusal = "FCM said 403 PERMISSION_DENIED: because" },
			"not stored: FCM said 403 PERMISSION_DENIED: because",
		},
		{
			"nothing to seal with", nil,
			func(_ *rig, c *credential.Config) { c.Ring = &credential.Ring{} }, "openssl rand -base64 32",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, nil)
			if c.tune != nil {
				c.tune(r, &r.cfg)
				r.Room = credential.New(r.cfg)
			}
			file := keyFile(t, "acme-prod", 0)
			if c.file != nil {
				file = c.file
			}
			_, err := r.Put(t.Context(), credential.Upload{Ref: shop, File: file})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			clean(t, "the error", err.Error())
			if _, err := r.Get(t.Context(), shop); !errors.Is(err, push.ErrNotFound) {
				t.Errorf("stored: %v", err)
			}
		})
	}
}

// TestUnreachable: when Google cannot be asked, the credential is taken, and it says so.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	r.google.err = errors.New("no answer in time")
	c := r.put(t, "acme-prod", 0)
	if c.State != credential.Unchecked || c.Reason != "no answer in time" || len(c.Warnings) != 1 || !c.CheckedAt.IsZero() {
		t.Errorf("%+v", c)
	}
}

// TestOtherProject: an app's tokens are of one project.
func TestOtherProject(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	r.put(t, "acme-prod", 0)
	u := credential.Upload{Ref: shop, File: keyFile(t, "acme-test", 0)}
	_, err := r.Put(t.Context(), u)
	other, ok := errors.AsType[*credential.OtherProjectError](err)
	if !ok || other.Have != "acme-prod" || other.Given != "acme-test" {
		t.Fatalf("%v", err)
	}
	u.ChangeProject = true
	if c, err := r.Put(t.Context(), u); err != nil || c.Project != "acme-test" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestJudge: what Google says later is told once, and not of a credential that was replaced.
func TestJudge(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	first := r.put(t, "acme-prod", 0)
	judge := func(serial string, s credential.State) {
		t.Helper()
		if err := r.Judge(t.Context(), shop, serial, s, "invalid_grant"); err != nil {
			t.Error(err)
		}
	}
	judge(first.Serial, credential.Invalid)
	judge(first.Serial, credential.Invalid)
	if c, _ := r.Get(t.Context(), shop); c.State != credential.Invalid || c.Reason != "invalid_grant" || len(r.refused) != 1 {
		t.Errorf("%+v, told %d times", c, len(r.refused))
	}
	if open, err := r.Open(t.Context(), shop, ""); err != nil || open.File == nil {
		t.Errorf("a note of the state spoilt it: %v", err)
	}
	judge(first.Serial, credential.Valid)
	judge(first.Serial, credential.Invalid)
	if len(r.refused) != 2 {
		t.Errorf("told %d times of two refusals", len(r.refused))
	}
	next := r.put(t, "acme-prod", 1)
	judge(first.Serial, credential.Invalid)
	if c, _ := r.Get(t.Context(), shop); c.State != credential.Valid || c.Serial != next.Serial {
		t.Errorf("%+v", c)
	}
}

// TestMoved: a sealed credential opens for its app only, and only as it is shown.
func TestMoved(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	r.put(t, "acme-prod", 0)
	d, err := r.docs.Document(t.Context(), credential.Kind, shop.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, body string }{
		{"evil/shop", string(d.Body)},
		{"acme/other", string(d.Body)},
		{"acme/p", strings.Replace(string(d.Body), "acme-prod", "evil-prod", 1)},
	} {
		moved := document.Document{Kind: d.Kind, Name: c.name, Version: 1, Body: []byte(c.body), UpdatedAt: d.UpdatedAt}
		if err := r.docs.PutDocument(t.Context(), moved); err != nil {
			t.Fatal(err)
		}
		tenant, app, _ := strings.Cut(c.name, "/")
		_, err := r.Open(t.Context(), credential.RefOf(tenant, app), "")
		if !errors.Is(err, credential.ErrDamaged) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	for _, ref := range []credential.Ref{{"acme", "a"}, {"acme", "b"}, {"acme-2", "a"}, {"beta", "a"}, {"aaa", "z"}} {
		if _, err := r.Put(t.Context(), credential.Upload{Ref: ref, File: keyFile(t, "p-1", 0)}); err != nil {
			t.Fatal(err)
		}
	}
	for tenant, want := range map[string]string{
		"acme": "acme/a acme/b", "beta": "beta/a", "none": "", "": "aaa/z acme-2/a acme/a acme/b beta/a",
	} {
		for limit := 1; limit < 7; limit++ {
			var got []string
			for cursor, first := "", true; first || cursor != ""; first = false {
				page, next, err := r.List(t.Context(), tenant, cursor, limit)
				if err != nil {
					t.Fatal(err)
				}
				for i := range page {
					got = append(got, page[i].String())
				}
				cursor = next
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q by %d: %v", tenant, limit, got)
			}
		}
	}
	if ok, err := r.Exists(t.Context(), "acme", "a"); !ok || err != nil {
		t.Error(err)
	}
	if ok, err := r.Exists(t.Context(), "acme", "c"); ok || err != nil {
		t.Error(err)
	}
}

// TestCanary: nothing that leaves the room, and nothing that it stores, has the key.
func TestCanary(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	c := r.put(t, "acme-prod", 0)
	open, err := r.Open(t.Context(), shop, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Judge(t.Context(), shop, c.Serial, credential.Invalid, "because"); err != nil {
		t.Fatal(err)
	}
	account, err := read(open.File)
	if err != nil {
		t.Fatal(err)
	}
	clean(t, "a credential", fmt.Sprintf("%v %+v %#v", c, c, c))
	clean(t, "an opened credential", fmt.Sprintf("%v %+v %#v %s", open, open, open, open))
	clean(t, "an account", fmt.Sprintf("%v %+v %#v", account, account, account))
	clean(t, "the event", fmt.Sprintf("%+v", r.refused))
	for _, e := range r.logs.All() {
		clean(t, "the log", fmt.Sprintf("%s %v", e.Message, e.ContextMap()))
	}
	docs, _, err := r.docs.Documents(context.Background(), credential.Kind, "", 10)
	if err != nil || len(docs) != 1 {
		t.Fatal(docs, err)
	}
	clean(t, "the store", string(docs[0].Body))
}
