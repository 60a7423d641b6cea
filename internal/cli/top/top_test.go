package top

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// belfry runs a command line without a terminal.
func belfry(t *testing.T, args ...string) clitest.Result {
	t.Helper()
	var out, errs bytes.Buffer
	p := command.Program{Name: "belfry", Grammar: &struct {
		Commands Commands `embed:""`
	}{}, Env: func(string) (string, bool) { return "", false }}
	code := p.Run(t.Context(), args, &display.Console{In: os.Stdin, Out: &out, Err: &errs})
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

// Without a terminal it says what to use.
func TestNoTerminal(t *testing.T) {
	t.Parallel()
	belfry(t, "top", "--api", "http://127.0.0.1:1").Expect(t, display.ExitUsage, "belfry status -o json --every 2s")
	belfry(t, "top", "--every", "10ms").Expect(t, display.ExitUsage, "must be 1s to 1m")
}

// The program asks a server, of a batch that is drilled into too, and ends when it is told.
func TestProgram(t *testing.T) {
	t.Parallel()
	var asked []string
	refuse := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		switch {
		case refuse > 0:
			clitest.Say(w, refuse, client.Problem{Code: "refused"})
		case r.URL.Path == "/v1/status":
			clitest.Say(w, http.StatusOK, outage(0))
		default:
			clitest.Say(w, http.StatusOK, client.Notification{
				ID: strings.TrimPrefix(r.URL.Path, "/v1/notifications/"), Counts: &client.Counts{Sent: 387_000, Permanent: 600},
			})
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	api, err := client.New(srv.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{ctx: t.Context(), api: api, model: newModel(srv.URL, time.Second, time.Now())}
	// do runs what an update wants done, but for the next tick.
	do := func(msg tea.Msg) (quits bool) {
		_, cmd := p.Update(msg)
		if cmd == nil {
			return false
		}
		switch msg := cmd().(type) {
		case answer:
			p.Update(msg)
		case tea.QuitMsg:
			return true
		}
		return false
	}
	do(tea.WindowSizeMsg{Width: 100, Height: 30})
	do(tea.KeyPressMsg{Code: 'r', Text: "r"})
	do(tea.KeyPressMsg{Code: '2', Text: "2"})
	do(tea.KeyPressMsg{Code: tea.KeyEnter})
	view := p.View()
	if !view.AltScreen || !strings.Contains(view.Content, "387,000") || !strings.Contains(view.Content, "permanent  600") {
		t.Errorf("the outcomes are not there:\n%s", view.Content)
	}
	do(tea.KeyPressMsg{Code: tea.KeyEscape})
	do(tea.KeyPressMsg{Code: '/', Text: "/"})
	do(tea.PasteMsg{Content: "zoo"})
	if v := p.View().Content; !strings.Contains(v, "1 of 2 with “zoo”") {
		t.Errorf("what is pasted does not filter:\n%s", v)
	}
	do(tea.FocusMsg{})
	if got := fmt.Sprint(asked); got != "[/v1/status /v1/status /v1/notifications/bat_3dc4358e-07c1-8d8e-9321-17b5e2a5eef8]" {
		t.Errorf("asked for %s", got)
	}
	if !do(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}) {
		t.Error("ctrl+c does not quit")
	}

	// A server that refuses ends it when it is the first answer, and later is shown.
	refuse = http.StatusForbidden
	p.Update(tea.KeyPressMsg{Code: tea.KeyEscape})
	do(tea.KeyPressMsg{Code: 'r', Text: "r"})
	if v := p.View().Content; p.refused != nil || !strings.Contains(v, "NO ANSWER") {
		t.Errorf("refused later (%v):\n%s", p.refused, v)
	}
	p.model = newModel(srv.URL, time.Second, time.Now())
	_, ask := p.Update(tea.KeyPressMsg{Code: 'r', Text: "r"})
	if _, ok := errors.AsType[*client.Problem](p.refused); !do(ask()) && !ok {
		t.Errorf("refused at first: %v", p.refused)
	}
	if p.refused == nil {
		t.Error("it goes on although the key may not")
	}
}
