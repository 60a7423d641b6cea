package progress

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

func TestPrintCounts(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		in   client.Counts
		want string
	}{
		{
			"everything",
			client.Counts{
				Accepted: 1_000_000, Open: 5, Sent: 998_000, Permanent: 1_500, Suppressed: 400, DeadLettered: 95,
				ByCode: map[client.Code]int64{
					"sent": 998_000, "fcm.unregistered": 1_200, "fcm.invalid_argument": 300, "duplicate": 200, "device.quarantined": 200,
					"attempts_exhausted": 95,
				},
				PossibleDuplicates: 12,
			},
			`CLASS          CODE                    COUNT    SHARE
sent           sent                  998,000   99.80%
permanent      fcm.unregistered        1,200    0.12%
permanent      fcm.invalid_argument      300    0.03%
suppressed     device.quarantined        200    0.02%
suppressed     duplicate                 200    0.02%
dead_lettered  attempts_exhausted         95    0.01%
open                                       5    0.00%

accepted 1,000,000 = sent 998,000 + permanent 1,500 + suppressed 400 + dead_lettered 95 + open 5
possible duplicates 12: tried again after an answer that left open whether the message was taken
`,
		},
		{"nothing", client.Counts{}, "CLASS  CODE  COUNT    SHARE\n\naccepted 0 = 0\n"},
		{
			"a code of a newer server",
			client.Counts{Accepted: 3, Permanent: 3, ByCode: map[client.Code]int64{"fcm.unregistered": 1, "fcm.brand_new": 2}},
			"CLASS      CODE              COUNT    SHARE\n" +
				"permanent  fcm.unregistered      1   33.33%\n" +
				"permanent                        2   66.67%\n" +
				"\naccepted 3 = permanent 3\n",
		},
		{
			"not conserved",
			client.Counts{Accepted: 3, Expired: 1, Cancelled: 1},
			"CLASS      CODE  COUNT    SHARE\n" +
				"expired              1   33.33%\n" +
				"cancelled            1   33.33%\n" +
				"\naccepted 3 = expired 1 + cancelled 1\nTHE COUNTS DO NOT ADD UP: they sum to 2. Please report this.\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := PrintCounts(&b, tt.in); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// Every class that can end a delivery has a term in the sum.
func TestEveryClassIsCounted(t *testing.T) {
	t.Parallel()

	c := client.Counts{Open: 1, Sent: 1, Permanent: 1, Ambiguous: 1, Suppressed: 1, Expired: 1, Cancelled: 1, DeadLettered: 1}
	seen := map[string]bool{}
	for _, r := range classes(c) {
		seen[r.class] = true
	}
	for _, f := range push.Codes() {
		if f.Terminal && !seen[f.Class.String()] {
			t.Errorf("class %s of %s is in no row", f.Class, f.Name)
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d classes, want 8", len(seen))
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestPrintCountsToABrokenPipe(t *testing.T) {
	t.Parallel()

	if err := PrintCounts(brokenWriter{}, client.Counts{}); err == nil {
		t.Error("error = nil")
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()

	tests := map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567"}
	for n, want := range tests {
		if got := Group(n); got != want {
			t.Errorf("Group(%d) = %s, want %s", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		if got, err := strconv.ParseInt(strings.ReplaceAll(Group(n), ",", ""), 10, 64); err != nil || got != n {
			t.Fatalf("Group(%d) = %s", n, Group(n))
		}
	})
}
