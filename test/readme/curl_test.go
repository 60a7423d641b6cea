package readme

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
)

// TestCurlLines runs every curl command of the README, in order, against a
// sandbox, and wants answers below 400. Only the address is another one, and
// "ntf_…" is the id that the first command was answered.
func TestCurlLines(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl on this machine")
	}
	base := sandbox(t)
	commands := curls(t)
	if len(commands) < 6 {
		t.Fatalf("the README has %d curl commands, it had 6: %q", len(commands), commands)
	}
	id := ""
	for _, c := range commands {
		c = strings.ReplaceAll(c, "http://127.0.0.1:8080", base)
		c = strings.ReplaceAll(c, "ntf_…", id)
		out, err := exec.CommandContext(t.Context(), "bash", "-c", strings.Replace(c, "curl", "curl -sS --fail-with-body", 1)).CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", c, err, out)
		}
		var answer struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%s\nanswered %s", c, out)
		}
		if id == "" {
			id = answer.ID
			settled(t, base, id)
		}
	}
}

// curls returns the commands, with continued lines joined.
func curls(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(string(readme), "\\\n", " ")
	return regexp.MustCompile(`(?m)^curl .*$`).FindAllString(joined, -1)
}

func sandbox(t *testing.T) string {
	t.Helper()
	cfg := config.Up{
		Sandbox: true, Store: config.Store{Backend: config.BackendEmbedded, Data: t.TempDir(), Visibility: 30 * time.Second},
		API: config.API{Listen: "127.0.0.1:0"}, FCM: config.FCM{Connections: 1, PerSecond: 1000},
		Delivery: config.Delivery{MaxAttempts: 3, RecordUnknownDevices: true}, Simulator: config.Simulator{Listen: "127.0.0.1:0"},
		Stop: config.Stop{Drain: 5 * time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan app.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- app.Up(ctx, cfg, zap.NewNop(), app.Hooks{Ready: func(a app.Addresses) { ready <- a }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	select {
	case a := <-ready:
		return a.API
	case err := <-ended:
		t.Fatal(err)
		return ""
	}
}

// settled waits until the notification has ended, as the README's reader has by
// the time of the next command.
func settled(t *testing.T, base, id string) {
	t.Helper()
	for range 100 {
		res, err := http.Get(base + "/v1/notifications/" + id)
		if err != nil {
			t.Fatal(err)
		}
		var n struct{ State string }
		err = json.NewDecoder(res.Body).Decode(&n)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if n.State == "completed" {
			return
		}
		pause := time.NewTimer(50 * time.Millisecond)
		<-pause.C
	}
	t.Fatalf("%s did not complete in 5 s", id)
}
