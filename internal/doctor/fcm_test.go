package doctor

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

type dryRunner struct {
	err error
	to  push.Address
}

func (d *dryRunner) DryRun(_ context.Context, _ message.Template, a push.Address) error {
	d.to = a
	return d.err
}

func TestFCM(t *testing.T) {
	t.Parallel()
	code := func(c push.Code) error { return fmt.Errorf("send: %w", &push.Error{Code: c, Detail: "words of FCM"}) }
	for _, c := range []struct {
		name string
		err  error
		want Status
		text string
	}{
		{"it validates", nil, StatusOK, "validates"},
		{"made-up token refused", code(push.CodeFCMInvalidArgument), StatusOK, "as it should"},
		{"made-up token unknown", code(push.CodeFCMUnregistered), StatusOK, "as it should"},
		{"access token refused", code(push.CodeFCMUnauthorized), StatusFailed, "service account"},
		{"wrong project", code(push.CodeFCMForbidden), StatusFailed, "FCM said: words of FCM"},
		{"no such host", code(push.CodeNetDNS), StatusFailed, "DNS said: words"},
		{"a broken handshake", code(push.CodeNetTLS), StatusFailed, "this machine's check of the certificate, said: words"},
		{"who speaks is named already", code(push.CodeCredential), StatusFailed, "service account. words"},
		{"no access token", code(push.CodeCredential), StatusFailed, "key file"},
		{"nobody there", code(push.CodeNetRefused), StatusFailed, "BELFRY_FCM_ENDPOINT"},
		{"nobody there, as the network has it", code(push.CodeNetRefused), StatusFailed, "The network said: words"},
		{"no answer", code(push.CodeNetTimeout), StatusFailed, "BELFRY_FCM_ENDPOINT"},
		{"busy", code(push.CodeFCMQuotaExceeded), StatusWarning, "quota"},
		{"down", code(push.CodeFCMUnavailable), StatusWarning, "status.firebase.google.com"},
		{"another project's", code(push.CodeFCMSenderIDMismatch), StatusWarning, "BELFRY_FCM_PROJECT"},
		{"odd", code(push.CodeUnclassified), StatusFailed, "unclassified"},
		{"stopped", context.DeadlineExceeded, StatusFailed, "no answer in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, closed := &dryRunner{err: c.err}, false
			r := Run(t.Context(), FCM(func(context.Context) (DryRunner, func(), error) { return d, func() { closed = true }, nil }))
			expect(t, r.Results, nameFCM, c.want, c.text)
			if !closed || d.to.Kind != push.KindToken || r.Healthy() != (c.want != StatusFailed) {
				t.Errorf("closed %v, sent to %v, healthy %v", closed, d.to, r.Healthy())
			}
		})
	}
	r := Run(t.Context(), FCM(func(context.Context) (DryRunner, func(), error) {
		return nil, nil, errors.New("key.json: no such file")
	}))
	expect(t, r.Results, nameFCM, StatusFailed, "our own check of the credentials said: key.json", "BELFRY_FCM_CREDENTIALS")
	if got := Run(t.Context(), Settings(func() []string { return nil })); len(got.Results) != 0 {
		t.Errorf("nothing to warn of: %+v", got)
	}
	expect(t, Run(t.Context(), Settings(func() []string { return []string{"open to all"} })).Results, nameSettings, StatusWarning,
		"open to all")
}
