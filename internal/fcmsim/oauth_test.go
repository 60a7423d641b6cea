package fcmsim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

const scope = "https://www.googleapis.com/auth/firebase.messaging"

func TestBearerTokenIsRequired(t *testing.T) {
	t.Parallel()
	var c clock
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true, Now: c.now})
	client := fcmsimtest.Client(t)
	good := sim.IssueToken(time.Minute)
	for _, tc := range []struct {
		name, project, header, reason string
		after                         time.Duration
		status                        int
	}{
		{name: "missing", reason: "CREDENTIALS_MISSING", status: 401},
		{name: "not bearer", header: "Basic eDp5", reason: "CREDENTIALS_MISSING", status: 401},
		{name: "unknown", header: "Bearer x", reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED", status: 401},
		{name: "good", header: "Bearer " + good, status: 200},
		{name: "other project", project: "other", header: "Bearer " + good, reason: "IAM_PERMISSION_DENIED", status: 403},
		{name: "expired", header: "Bearer " + good, after: time.Minute, reason: "ACCESS_TOKEN_EXPIRED", status: 401},
	} {
		c.advance(tc.after)
		path := sendPath
		if tc.project != "" {
			path = strings.Replace(path, "belfry-sandbox", tc.project, 1)
		}
		a := post(t, client, sim.URL()+path, toToken("t"), "Authorization", tc.header)
		if a.status != tc.status || !strings.Contains(a.body, tc.reason) {
			t.Errorf("%s: %d %s", tc.name, a.status, a.body)
		}
		if (a.header.Get("Www-Authenticate") != "") != (tc.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", tc.name, a.header.Get("Www-Authenticate"))
		}
	}
	st := sim.Stats()
	if st.ByCode["UNAUTHENTICATED"] != 4 || st.ByCode["PERMISSION_DENIED"] != 1 || st.Accepted != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestTokenEndpointServesGoogleClients(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true, TokenTTL: 90 * time.Second})
	client := fcmsimtest.Client(t)
	conf, err := google.JWTConfigFromJSON(sim.ServiceAccountJSON(), scope)
	if err != nil {
		t.Fatal(err)
	}
	token, err := conf.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, client)).Token()
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(token.Expiry); left > 90*time.Second || left < 60*time.Second {
		t.Errorf("expires in %v", left)
	}
	if a := post(t, client, sim.URL()+sendPath, toToken("t"), "Authorization", "Bearer "+token.AccessToken); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
