package privacy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// house is belfry up on a backend, with a simulator of FCM beside it.
type house struct {
	*testing.T

	env  []string
	sim  programs.Simulator
	logs string // file of its log
	cmd  *exec.Cmd
	url  string
	api  *client.Client

	collector *collector // of its spans
}

// onBoth runs a test on the embedded backend and on the stand-ins for AWS.
func onBoth(t *testing.T, run func(h *house)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		h := &house{T: t, env: []string{"BELFRY_DATA=" + t.TempDir()}}
		h.open()
		run(h)
	})
	t.Run("aws", func(t *testing.T) {
		t.Parallel()
		env := append(servers.Start(t).Env(), "BELFRY_BACKEND=aws", fmt.Sprintf("BELFRY_AWS_PREFIX=prv-%x", time.Now().UnixNano()&0xffffff))
		commands.Output(t, "belfry", env, "provision")
		h := &house{T: t, env: env}
		h.open()
		run(h)
	})
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) open() {
	h.sim = commands.Simulator(h.T, 5*time.Millisecond)
	h.collector = openCollector(h.T)
	h.logs = filepath.Join(h.TempDir(), "log")
	h.env = append(h.env, "BELFRY_FCM_ENDPOINT="+h.sim.Endpoint, "BELFRY_LOG_LEVEL=debug", "BELFRY_LOG_FORMAT=json", "BELFRY_MAX_ATTEMPTS=1",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+h.collector.URL)
	h.start()
	h.Cleanup(h.kill)
}

// start starts the process; its log goes on where that of the last one ended.
func (h *house) start() {
	h.Helper()
	log, err := os.OpenFile(h.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	h.must(err)
	defer func() { _ = log.Close() }() // the child has its own
	before := len(h.log())
	h.cmd = commands.Command(h.T, "belfry", h.env, "up", "--listen", "127.0.0.1:0")
	h.cmd.Stderr = log
	h.must(h.cmd.Start())
	programs.WaitFor(h.T, "the API", func() bool {
		_, rest, ok := strings.Cut(h.log()[before:], `"listen":"`)
		h.url, _, _ = strings.Cut(rest, `"`)
		return ok
	})
	h.url = "http://" + h.url
	h.api, err = client.New(h.url, "")
	h.must(err)
	programs.WaitFor(h.T, "readiness", func() bool { return h.api.Ready(h.Context()) == nil })
}

// stop ends the process as an operator does.
func (h *house) stop() {
	h.must(h.cmd.Process.Signal(os.Interrupt))
	_ = h.cmd.Wait() // it may well say that it was interrupted
}

func (h *house) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

func (h *house) log() string {
	h.Helper()
	b, err := os.ReadFile(h.logs)
	h.must(err)
	return string(b)
}

// ask makes a request and returns its body.
func (h *house) ask(method, path, body string) string {
	h.Helper()
	req, err := http.NewRequestWithContext(h.Context(), method, h.url+path, strings.NewReader(body))
	h.must(err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	h.must(err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	h.must(err)
	return string(b)
}

// erase erases a user and waits for the receipt.
func (h *house) erase(order client.PrivacyOrder) client.PrivacyRequest {
	h.Helper()
	order.Action = client.PrivacyErase
	q, err := h.api.CreatePrivacyRequest(h.Context(), order)
	h.must(err)
	return h.erased(q.ID)
}

func (h *house) erased(id string) (q client.PrivacyRequest) {
	h.Helper()
	programs.WaitForMoment(h.T, 200*time.Millisecond, "the receipt", func() (done bool) {
		var err error
		q, err = h.api.PrivacyRequest(h.Context(), id)
		h.must(err)
		return q.State == client.PrivacyDone
	})
	h.must(q.Receipt.Verify(""))
	return q
}

func message(title string) json.RawMessage {
	return json.RawMessage(`{"notification":{"title":"` + title + `"}}`)
}
