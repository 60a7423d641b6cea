package push

import (
	"errors"
	"fmt"
	"testing"
)

func TestCodeOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset")
	failed := &Error{Code: CodeNetReset, Detail: "after 12 bytes", Err: cause}
	for _, c := range []struct {
		name string
		err  error
		want Code
	}{
		{"none", nil, CodeSent},
		{"plain", cause, CodeUnclassified},
		{"classified", failed, CodeNetReset},
		{"wrapped", fmt.Errorf("send: %w", failed), CodeNetReset},
		{"joined", errors.Join(cause, failed), CodeNetReset},
	} {
		if got := CodeOf(c.err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if !errors.Is(fmt.Errorf("send: %w", failed), cause) {
		t.Error("the cause is lost")
	}
	for err, want := range map[*Error]string{
		failed:                              "net.reset: after 12 bytes: connection reset",
		{Code: CodeNetReset}:                "net.reset",
		{Code: CodeNetDNS, Err: cause}:      "net.dns: connection reset",
		{Code: CodeExpired, Detail: "late"}: "expired: late",
	} {
		if err.Error() != want {
			t.Errorf("error prints %q, want %q", err.Error(), want)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	if Faults(nil).Err() != nil || (Faults{}).Err() != nil {
		t.Error("no faults are an error")
	}
	err := Faults{{Pointer: "/to", Code: FaultMissing, Detail: "must be there"}, {Code: FaultSyntax, Detail: "not JSON"}}.Err()
	if want := "/to: must be there; not JSON"; err == nil || err.Error() != want {
		t.Errorf("faults print %v, want %q", err, want)
	}
	faults, ok := errors.AsType[Faults](fmt.Errorf("decode: %w", err))
	if !ok || len(faults) != 2 {
		t.Errorf("wrapped faults are not found: %v", faults)
	}
}

func TestStateError(t *testing.T) {
	t.Parallel()
	for err, want := range map[*StateError]string{
		{ID: "bat_1", State: "paused", Op: "start", Legal: []string{"resume", "cancel"}}: "bat_1 is paused: cannot start; legal now: resume, " +
			"cancel",
		{ID: "bat_1", State: "completed", Op: "pause"}: "bat_1 is completed: cannot pause; legal now: nothing",
	} {
		if err.Error() != want {
			t.Errorf("prints %q, want %q", err.Error(), want)
		}
	}
}
