package demo

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
)

// TestRun shows the demo, smaller, and looks for what its help promises.
func TestRun(t *testing.T) {
	t.Parallel()
	var out, screen bytes.Buffer
	err := Run(t.Context(), config.Demo{Backend: config.BackendEmbedded, Recipients: 4000}, zap.NewNop(), &out, &screen)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), screen.String())
	}
	for _, p := range []string{
		`belfry is up`,
		`4,000 recipients uploaded`,
		`UNREGISTERED\) +\d+ +fcm\.unregistered \d+\n`, // the trouble, by kind
		`once \(503\) +\d+ .*sent \d+ \(\d+ by a retry\)`,
		`2 times \(500\) +(\d+) +attempts_exhausted \d+\n`,
		`[1-9]\d* dead letters of fcm\.internal`,
		`the replay completed: (\d+) of \d+ letters sent, 0 failed again`,
		`nothing is lost`,
	} {
		if !regexp.MustCompile(p).MatchString(out.String()) {
			t.Errorf("nothing that was printed matches %s", p)
		}
	}
	if !strings.Contains(screen.String(), "FCM goes down for 3 s") {
		t.Errorf("the screen tells of no outage:\n%s", screen.String())
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
