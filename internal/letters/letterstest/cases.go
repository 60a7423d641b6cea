package letterstest

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

func putOnce(f *fixture) {
	first := f.put(f.recipient(1), f.recipient(2))
	changed := first[0]
	changed.Detail = "another story"
	n, err := f.PutLetters(f.Context(), []push.Letter{changed, f.recipient(3), first[1]})
	f.must(err)
	if n != 1 {
		f.Errorf("%d letters were stored, want the one that is new", n)
	}
	got, err := f.Letter(f.Context(), first[0].ID)
	f.must(err)
	f.same("the letter that was there", got, first[0])
	twice := f.recipient(4)
	n, err = f.PutLetters(f.Context(), []push.Letter{twice, twice})
	f.must(err)
	if n != 1 || len(f.all(push.LetterFilter{}, 10)) != 4 {
		f.Errorf("a letter that stands twice in one call was stored %d times", n)
	}
	n, err = f.PutLetters(f.Context(), nil)
	f.must(err)
	if n != 0 {
		f.Errorf("storing nothing stored %d", n)
	}
}

func putConcurrently(f *fixture) {
	letters := []push.Letter{f.recipient(1), f.recipient(2), f.message(3)}
	var stored atomic.Int64
	together(6, func(int) {
		n, err := f.PutLetters(f.Context(), letters)
		if err != nil {
			f.Error(err)
		}
		stored.Add(int64(n))
	})
	if n := stored.Load(); n != 3 {
		f.Errorf("%d letters were stored, want 3", n)
	}
	groups, err := f.LetterGroups(f.Context(), push.LetterFilter{App: f.app})
	f.must(err)
	if len(groups) != 3 {
		f.Errorf("%d groups, want 3", len(groups))
	}
}

func roundTrip(f *fixture) {
	full := f.recipient(7)
	full.Series, full.ReplayOf, full.Cell, full.Seq = 2, push.NewID(push.PrefixReplay), 499, 1<<30
	full.Notification = push.NewID(push.PrefixBatch)
	full.Recipient = push.Recipient{
		Address: push.Address{Kind: push.KindFID, Value: "fid 🏠"}, UserID: "zoë", DeviceID: "dev-1", Line: 1 << 40,
		Data: map[string]string{"k": "v", "": "\x00"}, Locale: "pt-BR", CollapseID: "score", Renew: true,
		Override: message.Override{Title: "Ω", Badge: new(int32(0)), LiveActivityToken: "l"},
	}
	full.Detail = strings.Repeat("ünï", 100)
	full.Labels = map[string]string{"team": "Ω", "template": "welcome"}
	full.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	bare := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterMessage, App: f.app, Queue: push.QueueNotifications, Code: push.CodePoison,
		Cell: -1,
		Body: []byte("{}"), DeadAt: epoch(), StoredAt: epoch(), Fingerprint: f.app, State: push.LetterParked, Version: 1,
	}
	cut := f.message(2)
	cut.Body, cut.Bytes = bytes.Repeat([]byte("the beginning "), 50_000), 1<<20
	tombstone := f.recipient(8)
	tombstone.State, tombstone.Version, tombstone.MovedAt = push.LetterDiscarded, 2, epoch()
	tombstone.Reason, tombstone.By = "wrong audience", "zoë"
	tombstone.Recipient.Address.Value = ""
	replayed := f.recipient(9)
	replayed.State, replayed.Version, replayed.MovedAt = push.LetterReplayed, 4, epoch()
	replayed.Replay, replayed.Outcome = push.NewID(push.PrefixReplay), push.CodeSent
	for _, want := range f.put(full, f.message(1), bare, cut, tombstone, replayed) {
		got, err := f.Letter(f.Context(), want.ID)
		f.must(err)
		f.same("letter", got, want)
		if got.Recipient.Address.Value != want.Recipient.Address.Value { // cmp prints it redacted, and compares it all the same
			f.Error("the address changed")
		}
	}
}

func notFound(f *fixture) {
	ghost := push.NewID(push.PrefixDeadLetter)
	_, err := f.Letter(f.Context(), ghost)
	f.mustBe(err, push.ErrNotFound)
	if f.move(push.LetterMove{ID: ghost, Version: 1, State: push.LetterDiscarded, At: epoch()}) {
		f.Error("a letter that is not there was moved")
	}
	if got := f.all(push.LetterFilter{}, 10); len(got) != 0 {
		f.Errorf("%d letters where none are", len(got))
	}
	groups, err := f.LetterGroups(f.Context(), push.LetterFilter{App: f.app})
	f.must(err)
	tally, err := f.LetterTally(f.Context(), push.NewID(push.PrefixReplay))
	f.must(err)
	if len(groups) != 0 || tally.Replaying != 0 || tally.Returned != 0 || len(tally.ByOutcome) != 0 {
		f.Errorf("groups %v and tally %+v where nothing is", groups, tally)
	}
}

func list(f *fixture) {
	const n = 25
	var want []push.Letter
	for i := range n {
		want = append(want, f.recipient(i))
	}
	f.put(want[:7]...)
	f.put(want[7:]...)
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	for _, size := range []int{1, 3, 7, n - 1, n, n + 1, 1000} {
		f.same("oldest first", ids(f.all(push.LetterFilter{OldestFirst: true}, size)), ids(want))
		f.same("newest first", ids(f.all(push.LetterFilter{}, size)), ids(reversed))
	}

	// A letter that arrives or leaves between two pages disturbs nothing else.
	page, next, err := f.Letters(f.Context(), push.LetterFilter{App: f.app, OldestFirst: true, States: []push.LetterState{push.LetterParked}},
		"", 10)
	f.must(err)
	if len(page) != 10 || next == "" {
		f.Fatalf("a page of %d letters, cursor %q", len(page), next)
	}
	f.put(f.recipient(n))
	for _, i := range []int{9, 12} {
		if !f.move(push.LetterMove{ID: want[i].ID, Version: 1, State: push.LetterDiscarded, At: epoch()}) {
			f.Fatal("not moved")
		}
	}
	rest, _, err := f.Letters(f.Context(), push.LetterFilter{App: f.app, OldestFirst: true, States: []push.LetterState{push.LetterParked}},
		next, 100)
	f.must(err)
	if len(rest) != n-10-1+1 || rest[0].ID != want[10].ID {
		f.Errorf("the next page has %d letters, want %d", len(rest), n-10)
	}
}

func badCursor(f *fixture) {
	f.put(f.recipient(1), f.recipient(2))
	for _, c := range []string{"x", "🏠", "bGV0dGVycw", strings.Repeat("A", 100)} {
		_, _, err := f.Letters(f.Context(), push.LetterFilter{App: f.app}, c, 1)
		f.mustBe(err, push.ErrCursor)
	}
}

// variety stores letters that differ in everything a filter can ask for.
func (f *fixture) variety() []push.Letter {
	batch, replay := push.NewID(push.PrefixBatch), push.NewID(push.PrefixReplay)
	var ls []push.Letter
	for i := range 40 {
		l := f.recipient(i)
		switch i % 4 {
		case 1:
			l.Notification = batch
			l.Labels = map[string]string{"team": []string{"red", "blue"}[i%8/4]}
		case 2:
			l.Replay, l.Version, l.State = replay, 3, push.LetterReplayed
			l.MovedAt = epoch().Add(time.Duration(i) * time.Minute)
			if i%8 == 2 {
				l.Outcome = push.CodeSent
			}
		case 3:
			l = f.message(i)
			if i%8 == 3 {
				l.Replay, l.Version, l.State, l.MovedAt = replay, 2, push.LetterReplaying, epoch()
			}
		}
		if i%7 == 0 {
			l.Recipient.UserID, l.Recipient.DeviceID = "Zoë", "DEV-7"
		}
		ls = append(ls, l)
	}
	return f.put(ls...)
}

func filters(f *fixture) {
	letters := f.variety()
	a, b := letters[1], letters[2]
	cases := map[string]push.LetterFilter{
		"all":               {},
		"ids":               {IDs: []push.ID{a.ID, b.ID, push.NewID(push.PrefixDeadLetter)}},
		"one state":         {States: []push.LetterState{push.LetterParked}},
		"two states":        {States: []push.LetterState{push.LetterReplaying, push.LetterReplayed}},
		"no such state":     {States: []push.LetterState{push.LetterDiscarded}},
		"queue":             {Queue: push.QueueHigh},
		"tenant":            {Tenant: "tenant-1"},
		"no such tenant":    {Tenant: "tenant-9"},
		"own code":          {Code: push.CodeAttemptsExhausted},
		"last code":         {Code: push.CodeNetTimeout},
		"class":             {Class: push.ClassAmbiguous},
		"class of both":     {Class: push.ClassDeadLettered},
		"fingerprint":       {Fingerprint: a.Fingerprint},
		"notification":      {Notification: b.Notification},
		"batch":             {Notification: a.Notification},
		"replay":            {Replay: b.Replay},
		"replay and state":  {Replay: b.Replay, States: []push.LetterState{push.LetterReplaying}},
		"awaiting":          {Awaiting: true},
		"awaiting a replay": {Replay: b.Replay, Awaiting: true},
		"label":             {LabelName: "team"},
		"label's value":     {LabelName: "team", LabelValue: "red"},
		"text":              {Text: "OVERLOADED (1"},
		"text in a label":   {Text: "BLUE"},
		"text in a user":    {Text: "ZOË"},
		"text in a device":  {Text: "dev-7"},
		"text in nothing":   {Text: "no such text"},
		"dead after":        {DeadAfter: epoch().Add(20 * time.Minute)},
		"dead before":       {DeadBefore: epoch().Add(20 * time.Minute)},
		"dead between":      {DeadAfter: epoch().Add(5 * time.Minute), DeadBefore: epoch().Add(9 * time.Minute)},
		"stored before":     {StoredBefore: epoch().Add(10*time.Minute + time.Second)},
		"moved before":      {MovedBefore: epoch().Add(10 * time.Minute), States: []push.LetterState{push.LetterReplayed}},
		"many at once": {
			Tenant: "tenant-2", Code: push.CodeFCMUnavailable, States: []push.LetterState{push.LetterParked}, DeadAfter: epoch().Add(time.Minute),
		},
	}
	for name, filter := range cases {
		for _, oldest := range []bool{true, false} {
			filter.App, filter.OldestFirst = f.app, oldest
			var want []push.Letter
			for i := range letters {
				if filter.Match(&letters[i]) {
					want = append(want, letters[i])
				}
			}
			if !oldest {
				slices.Reverse(want)
			}
			if diff := cmp.Diff(want, f.all(filter, 15), cmpopts.EquateEmpty()); diff != "" {
				f.Errorf("%s, oldest first %v (-want +got):\n%s", name, oldest, diff)
			}
		}
		model := &Memory{letters: letters}
		want, err := model.LetterGroups(f.Context(), filter)
		f.must(err)
		got, err := f.LetterGroups(f.Context(), filter)
		f.must(err)
		sortGroups(got)
		sortGroups(want)
		if diff := cmp.Diff(want, got, groupOptions()); diff != "" {
			f.Errorf("groups, %s (-want +got):\n%s", name, diff)
		}
	}
}

// groupOptions compare what the contract fixes: any letter of a group may be
// its sample, absent and zero are the same, and times may span more.
func groupOptions() cmp.Options {
	return cmp.Options{
		cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(push.LetterGroup{}, "Sample", "FirstDeadAt", "LastDeadAt"),
		cmpopts.IgnoreMapEntries(func(_ push.LetterState, n int64) bool { return n == 0 }),
	}
}

func sortGroups(gs []push.LetterGroup) {
	slices.SortFunc(gs, func(a, b push.LetterGroup) int {
		return strings.Compare(a.Fingerprint+"\x00"+a.Tenant+"\x00"+a.Queue, b.Fingerprint+"\x00"+b.Tenant+"\x00"+b.Queue)
	})
}
