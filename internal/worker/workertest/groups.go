package workertest

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/worker"
)

func groupCases() []testCase {
	fair := func(f Features) bool { return f.Fairness && f.Groups }
	return []testCase{
		{name: "one group's flood does not delay another", needs: fair, run: flood},
		{name: "a quiet group is served within a round of noisy ones", needs: fair, run: withinARound},
		{name: "a group that was served out comes in anew", needs: fair, run: inAnew},
		{name: "groups get equal shares while they have messages", needs: fair, run: equalShares},
		{name: "more groups than fit into a batch take turns", needs: fair, run: rotation},
		{name: "a single group fills whole batches", needs: fair, run: singleGroup},
		{name: "every message of many groups arrives", run: manyGroups},
	}
}

func flood(k *kit) {
	k.sendMany("flood", 1000)
	k.drainSome(5) // the rotation stands somewhere
	k.send(worker.Outgoing{Body: []byte("quiet"), Group: "quiet"})
	for _, m := range k.collect(k.Queue, 2) {
		if m.Group == "quiet" {
			return
		}
	}
	k.Error("the quiet group's message was not among the next two, one of each group")
}

func withinARound(k *kit) {
	const noisy = 7
	for g := range noisy {
		k.sendMany(fmt.Sprint("noisy-", g), 100)
	}
	// Names on both sides of the others', so that no order of names helps.
	for i, quiet := range []string{"a-quiet", "z-quiet", "noisy-3-quiet", ""} {
		k.drainSome(3 + i)
		k.send(worker.Outgoing{Body: []byte("quiet"), Group: quiet})
		found := false
		for _, m := range k.collect(k.Queue, noisy+1) {
			found = found || m.Group == quiet
			k.remove(m)
		}
		if !found {
			k.Errorf("the message of %q was not among the next %d, one of each group", quiet, noisy+1)
		}
	}
}

// inAnew checks that a group saves up no turns while it has nothing, and loses none.
func inAnew(k *kit) {
	k.sendMany("noisy", 200)
	for range 5 {
		k.sendMany("now-and-then", 3)
		byGroup := map[string]int{}
		for _, m := range k.collect(k.Queue, 6) {
			byGroup[m.Group]++
			k.remove(m)
		}
		if byGroup["now-and-then"] != 3 {
			k.Errorf("of the next 6 messages, by group: %v, want 3 of each", byGroup)
		}
		k.drainSome(10)
	}
}

func (k *kit) drainSome(n int) {
	k.Helper()
	for range n {
		k.remove(k.one())
	}
}

func equalShares(k *kit) {
	k.sendMany("a", 100)
	k.sendMany("b", 40)
	k.sendMany("", 10)
	shares := func(n int) map[string]int {
		byGroup := map[string]int{}
		for _, m := range k.collect(k.Queue, n) {
			byGroup[m.Group]++
		}
		return byGroup
	}
	for _, c := range []struct {
		n    int
		want map[string]int
	}{
		{30, map[string]int{"a": 10, "b": 10, "": 10}},
		{60, map[string]int{"a": 30, "b": 30}},
		{60, map[string]int{"a": 60}},
	} {
		if got := shares(c.n); fmt.Sprint(got) != fmt.Sprint(c.want) {
			k.Errorf("of the next %d messages, by group: %v, want %v", c.n, got, c.want)
		}
	}
}

func rotation(k *kit) {
	const groups = 25
	for g := range groups {
		k.sendMany(fmt.Sprintf("tenant-%02d", g), 4)
	}
	for turn := range 4 {
		byGroup := map[string]int{}
		for _, m := range k.collect(k.Queue, groups) {
			byGroup[m.Group]++
		}
		if len(byGroup) != groups {
			k.Errorf("turn %d: the next %d messages are of %d groups, want all", turn, groups, len(byGroup))
		}
	}
}

func singleGroup(k *kit) {
	k.sendMany("only", 25)
	for _, want := range []int{10, 10, 5, 0} {
		msgs, err := k.Queue.Receive(k.ctx, worker.MaxBatch, 0)
		if err != nil || len(msgs) != want {
			k.Fatalf("received %d messages, %v; want %d", len(msgs), err, want)
		}
	}
}

func manyGroups(k *kit) {
	const groups, each = 40, 3
	for range each {
		for g := range groups {
			name := fmt.Sprintf("tenant-%d", g)
			k.send(worker.Outgoing{Body: []byte(name), Group: name})
		}
	}
	byBody := map[string]int{}
	for _, m := range k.collect(k.Queue, groups*each) {
		byBody[string(m.Body)]++
	}
	for name, n := range byBody {
		if n != each {
			k.Errorf("%s: received %d messages, want %d", name, n, each)
		}
	}
	k.none(k.Queue, 0)
}
