package deliver_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

// shaky panics when it is to send to some.
type shaky struct {
	*fcm
	panics map[string]func()
}

func (s shaky) Send(ctx context.Context, body []byte) (string, error) {
	for value, f := range s.panics {
		if strings.Contains(string(body), value) {
			f()
		}
	}
	return s.fcm.Send(ctx, body)
}

// TestPanicIsOneRecipients: a panic on the way to one recipient is that
// recipient's failure, tried again and then dead-lettered; the evidence has no
// secrets. The others notice nothing.
func TestPanicIsOneRecipients(t *testing.T) {
	t.Parallel()
	var cells []int
	panics := map[string]func(){
		name(3): func() { cells[len(name(3))]++ },
		name(7): func() { panic("secret " + name(7)) },
		name(9): func() { panic(errors.New("secret " + name(9))) },
	}
	for _, n := range []int{50, 4} {
		in(t, n, func(r *rig) { r.cfg.Sender = shaky{r.fcm, panics} }, func(r *rig) {
			r.finish()
			bad := 0
			for _, u := range r.letters() {
				for i, detail := range u.Detail {
					bad++
					if !strings.HasPrefix(detail, "panic") || strings.Contains(detail, "secret") || u.Codes[i] != push.CodeUnclassified ||
						u.Chunk.AttemptOf(i) != r.cfg.MaxAttempts {
						t.Errorf("%s after %d: %q", u.Codes[i], u.Chunk.AttemptOf(i), detail)
					}
				}
			}
			if diff := cmp.Diff(map[push.Code]int{push.CodeAttemptsExhausted: bad, push.CodeSent: n - bad}, r.codes()); diff != "" ||
				bad != map[int]int{50: 3, 4: 1}[n] {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
