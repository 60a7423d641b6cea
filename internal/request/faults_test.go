package request

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

// faultCase is a body and the faults that it has: pointer, space, code. None
// means that it is accepted.
type faultCase struct {
	name string
	in   string
	want []string
}

// checkFaults runs decode on every case and compares all faults in order.
func checkFaults(t *testing.T, cases []faultCase, decode func(body []byte) error) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := decode([]byte(c.in))
			faults, ok := errors.AsType[push.Faults](err)
			if err != nil && !ok {
				t.Fatalf("the error is %T: %v", err, err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.Pointer+" "+f.Code)
				if f.Detail == "" {
					t.Errorf("%s has no detail", f.Pointer)
				}
				if len(f.Detail) > 400 {
					t.Errorf("%s: the detail has %d bytes", f.Pointer, len(f.Detail))
				}
			}
			if strings.Join(got, ", ") != strings.Join(c.want, ", ") {
				t.Errorf("faults\n got %q\nwant %q\n  of %v", got, c.want, err)
			}
		})
	}
}
