package replay

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/test/programs"
)

// TestKilledReplay kills the program that executes a replay of 20,000 letters
// twenty times in the middle, and the dispatcher now and then. Afterwards every
// letter was replayed once, was discarded or is still parked, and nobody got
// anything twice that was not flagged as perhaps twice.
func TestKilledReplay(t *testing.T) {
	t.Parallel()
	letters, kills := 20_000, 20
	if testing.Short() {
		letters, kills = 2_000, 5
	}
	sim := commands.Simulator(t, 2*time.Millisecond)
	began := time.Now()
	l := seed(t, sim, letters)
	t.Logf("%d letters made in %v", l.letters, time.Since(began).Round(time.Millisecond))

	env := []string{
		"BELFRY_DATA=" + l.data, "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json", "BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_MAX_ATTEMPTS=1",
	}
	commands.Output(t, "dlq-replayer", env, "drain")
	l.wantLetters(letters)
	discarded := l.discardSome(env)

	_, rest := commands.Start(t, `"listen":"`, "ingest", env, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	dispatch := func() *programs.Process {
		p, _ := commands.Start(t, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0")
		return p
	}
	dispatcher := dispatch()
	before := sim.Accepted(t)

	began = time.Now()
	crashes := 0
	run, sends := l.killedReplay(env, kills, func(n int) {
		if n%5 == 4 {
			dispatcher.Kill()
			crashes++
			dispatcher = dispatch()
		}
	})
	took := time.Since(began)
	if out := commands.Output(t, "dlq-replayer", env, "replay", "resume", string(run.ID), "-o", "json"); !completed(out) {
		t.Fatalf("the replay did not end well: %s", out)
	}
	commands.Output(t, "dlq-replayer", env, "drain") // what failed again

	a := &audit{losses: l, run: run, before: before, after: sim.Accepted(t), flagged: l.flagged(t, "http://"+listen)}
	a.check(t, letters, discarded, crashes)
	t.Logf("%d of %d letters to be sent; %d kills, and %d of the dispatcher, in %v; states %v, outcomes %v; %d tokens accepted twice, %d "+
		"of them in the replay, all flagged",
		sends, letters, kills, crashes, took.Round(time.Millisecond), a.states, a.outcomes, a.twice, a.repeated)
}

// killedReplay starts a replay of everything and kills its process at even
// steps of its way; then it is to be resumed. It returns the replay and how
// many letters it is to send.
func (l *losses) killedReplay(env []string, kills int, killed func(n int)) (replay.Run, int64) {
	l.tb.Helper()
	p, _ := commands.Start(l.tb, "", "dlq-replayer", env, "replay", "run", "--all", "--yes")
	var run replay.Run
	programs.WaitFor(l.tb, "the replay to start", func() bool {
		runs, _, err := l.room.Runs(l.tb.Context(), "", 1)
		if err != nil {
			l.tb.Fatal(err)
		}
		if len(runs) == 0 {
			l.alive(p, 0)
			return false
		}
		run = runs[0]
		return true
	})
	simulation, err := l.room.Simulated(l.tb.Context(), run.Simulation)
	if err != nil {
		l.tb.Fatal(err)
	}
	inHand := 0
	for n := range kills {
		l.momentToKill(p, run.ID, n, simulation.Sends*int64(n+1)/int64(kills+2))
		p.Kill()
		if l.tally(run.ID).Replaying > 0 {
			inHand++
		}
		killed(n)
		if n+1 < kills {
			p, _ = commands.Start(l.tb, "", "dlq-replayer", env, "replay", "resume", string(run.ID))
		}
	}
	if inHand < kills/4 {
		l.tb.Fatalf("only %d of %d kills found letters in hand: the test is too easy", inHand, kills)
	}
	l.tb.Logf("%d of %d kills found letters in hand", inHand, kills)
	return run, simulation.Sends
}

// momentToKill waits until a replay has sent so many letters and has others in
// hand, claimed and not yet marked as sent; then for a moment, to hit each of the
// steps in between.
func (l *losses) momentToKill(p *programs.Process, run push.ID, kills int, sent int64) {
	l.tb.Helper()
	programs.WaitForMoment(l.tb, time.Millisecond, "the replay to get on", func() bool {
		l.alive(p, kills)
		tally := l.tally(run)
		return tally.Sent() >= sent && tally.Replaying > 0
	})
	pause := time.NewTimer(rand.N(10 * time.Millisecond))
	<-pause.C
	l.alive(p, kills)
}

func (l *losses) tally(run push.ID) push.LetterTally {
	l.tb.Helper()
	tally, err := l.store.LetterTally(l.tb.Context(), run)
	if err != nil {
		l.tb.Fatal(err)
	}
	return tally
}

// alive ends the test if the replay was over before it could be killed.
func (l *losses) alive(p *programs.Process, kills int) {
	l.tb.Helper()
	select {
	case <-p.Ended():
		l.tb.Fatalf("dlq-replayer ended after %d kills (%v)", kills, p.Wait())
	default:
	}
}

func completed(out []byte) bool {
	var status struct{ State replay.RunState }
	return json.Unmarshal(out, &status) == nil && status.State == replay.RunCompleted
}

// wantLetters wants so many letters in the store, of all causes.
func (l *losses) wantLetters(n int) {
	l.tb.Helper()
	codes := map[push.Code]int{}
	all := l.all()
	for i := range all {
		codes[all[i].Cause()]++
	}
	if len(all) != n || len(codes) != len(causes())+4 {
		l.tb.Fatalf("%d letters of %d codes: %v", len(all), len(codes), codes)
	}
}

func (l *losses) all() []push.Letter {
	l.tb.Helper()
	var all []push.Letter
	for cursor := ""; ; {
		page, next, err := l.store.Letters(l.tb.Context(), push.LetterFilter{OldestFirst: true}, cursor, 1000)
		if err != nil {
			l.tb.Fatal(err)
		}
		all = append(all, page...)
		if cursor = next; cursor == "" {
			return all
		}
	}
}

// discardSome gives the letters of two notifications up and returns how many.
func (l *losses) discardSome(env []string) int {
	l.tb.Helper()
	n := 0
	for id, tokens := range l.tokens {
		if len(tokens) == chunkSize && id != l.stopped[0] {
			commands.Output(l.tb, "dlq-replayer", env, "discard", "--notification", string(id), "--reason", "test", "--yes")
			for _, token := range tokens {
				if l.dead[token] {
					n++
				}
			}
			if n > chunkLosses {
				break
			}
		}
	}
	return n
}

// flagged asks the API whose delivery may have happened twice.
func (l *losses) flagged(t *testing.T, url string) map[string]bool {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	api, err := client.New(url, "", client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for id, tokens := range l.tokens {
		for d, err := range api.Deliveries(t.Context(), string(id), client.DeliveryFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			out[tokens[d.Index]] = d.PossibleDuplicate
		}
	}
	return out
}
