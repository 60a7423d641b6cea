package dynamo

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
)

// marksAreOld is when a call that left marks is taken for one that died.
const marksAreOld = 6 * time.Minute

// newLetter is the dead letter of one recipient; n varies what may vary.
func newLetter(app string, n int) push.Letter {
	l := push.Letter{
		ID: push.DerivedID(push.PrefixDeadLetter, app, strconv.Itoa(n)), Kind: push.LetterRecipient, Tenant: "tenant", App: app,
		Queue: push.QueueBulk,
		Code:  push.CodeAttemptsExhausted, LastCode: push.CodeFCMUnavailable,
		Detail: fmt.Sprintf("The service is overloaded (request %d).", n), Attempts: 5,
		Notification: push.DerivedID(push.PrefixBatch, app, "batch"), Seq: n / 350, Cell: n % 350, Turn: 4,
		Recipient:  push.Recipient{Address: push.Address{Kind: push.KindToken, Value: token(n)}, Line: int64(n + 1)},
		AcceptedAt: at().Add(-time.Hour), DeadAt: at().Add(time.Duration(n) * time.Second), StoredAt: at().Add(time.Hour), Software: "v1.2.3",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Labels:      map[string]string{"template": "welcome", "team": "growth"},
		Template:    "welcome", Pattern: "The service is overloaded (request #).", State: push.LetterParked, Version: 1,
	}
	if n%2 == 1 {
		l.Queue = push.QueueHigh
	}
	l.Fingerprint = app + "-unavailable"
	return l
}

// exact holds groups and tally against the letters that are there.
func exact(tb testing.TB, s *Store, app string, replay push.ID) []push.Letter {
	tb.Helper()
	f := push.LetterFilter{App: app, OldestFirst: true}
	letters, next, err := s.Letters(tb.Context(), f, "", 1000)
	must(tb, err)
	if next != "" {
		tb.Fatal("more letters than a page holds")
	}
	model := &letterstest.Memory{}
	_, err = model.PutLetters(tb.Context(), letters)
	must(tb, err)
	sums := func(groups []push.LetterGroup, err error) map[string]int64 {
		must(tb, err)
		out := map[string]int64{}
		for _, g := range groups {
			for state, n := range g.ByState {
				if n != 0 {
					out[g.Queue+" "+string(state)] += n
				}
			}
		}
		return out
	}
	same(tb, "groups", sums(s.LetterGroups(tb.Context(), f)), sums(model.LetterGroups(tb.Context(), f)))
	got, err := s.LetterTally(tb.Context(), replay)
	must(tb, err)
	want, err := model.LetterTally(tb.Context(), replay)
	must(tb, err)
	same(tb, "tally", got, want)
	return letters
}

// A drain that dies is repeated. Its letters are stored once, and the counter items,
// which may trail until then, are right when its mark has grown old.
func TestCrashInPutLetters(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s, late := x.store(), x.later(marksAreOld)
	var letters []push.Letter
	app := ""
	x.crash(t, 8, func(dying *Store, run int) error {
		app = fmt.Sprint("app-", run)
		letters = []push.Letter{newLetter(app, 0), newLetter(app, 1), newLetter(app, 2)}
		n, err := dying.PutLetters(t.Context(), letters)
		if err == nil && n != 3 {
			t.Errorf("%d letters were stored", n)
		}
		return err
	}, func(run int) {
		there, _, err := s.Letters(t.Context(), push.LetterFilter{App: app}, "", 10)
		must(t, err)
		n, err := s.PutLetters(t.Context(), letters)
		must(t, err)
		if n != 3-len(there) {
			t.Errorf("after %d writes %d letters were there, and %d more were stored", run, len(there), n)
		}
		if got := exact(t, late, app, "rpl_x"); len(got) != 3 {
			t.Errorf("%d letters", len(got))
		}
		exact(t, s, app, "rpl_x") // and it was put right, not only read so
	})
}

func TestCrashInMoveLetters(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s, late := x.store(), x.later(marksAreOld)
	var replay push.ID
	app := ""
	x.crash(t, 7, func(dying *Store, run int) error {
		app, replay = fmt.Sprint("app-", run), push.ID(fmt.Sprint("rpl_", run))
		letters := []push.Letter{newLetter(app, 0), newLetter(app, 2)}
		must(t, second(s.PutLetters(t.Context(), letters)))
		return second(dying.MoveLetters(t.Context(), []push.LetterMove{
			{ID: letters[0].ID, Version: 1, State: push.LetterReplaying, Replay: replay, At: at()},
			{ID: letters[1].ID, Version: 1, State: push.LetterReplaying, Replay: replay, At: at()},
			{ID: letters[0].ID, Version: 2, State: push.LetterReplayed, At: at()},
		}))
	}, func(run int) {
		// Another goes on with the letters as they are, before anybody has noticed.
		letters, _, err := s.Letters(t.Context(), push.LetterFilter{App: app}, "", 10)
		must(t, err)
		for i := range letters {
			if l := &letters[i]; l.State == push.LetterReplaying {
				must(t, second(s.MoveLetters(t.Context(), []push.LetterMove{{ID: l.ID, Version: l.Version, State: push.LetterParked, At: at()}})))
			}
		}
		if got := exact(t, late, app, replay); len(got) != 2 {
			t.Errorf("after %d writes: %d letters", run, len(got))
		}
		exact(t, s, app, replay)
	})
}

func TestCrashInPurgeLetters(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s, late := x.store(), x.later(marksAreOld)
	run, app := 0, ""
	replay := func() push.ID { return push.ID(fmt.Sprint("rpl_", run)) }
	x.crash(t, 6, func(dying *Store, n int) error {
		run, app = n, fmt.Sprint("app-", n)
		l, kept := newLetter(app, 0), newLetter(app, 2)
		must(t, second(s.PutLetters(t.Context(), []push.Letter{l, kept})))
		must(t, second(s.MoveLetters(t.Context(), []push.LetterMove{
			{ID: l.ID, Version: 1, State: push.LetterReplaying, Replay: replay(), At: at()},
			{ID: l.ID, Version: 2, State: push.LetterReplayed, At: at()},
		})))
		return second(dying.PurgeLetters(t.Context(), at().Add(time.Minute), 10))
	}, func(int) {
		exact(t, late, app, replay())
		must(t, second(s.PurgeLetters(t.Context(), at().Add(time.Minute), 10)))
		if left := exact(t, late, app, replay()); len(left) != 1 || left[0].State != push.LetterParked {
			t.Errorf("%d letters are left", len(left))
		}
	})
}

// firstCounterItem is a store that counts letters in the first of their group's counter items.
func (t tables) firstCounterItem(w table.Writer) *Store {
	var asked atomic.Bool
	return newStore(t.client, w, Config{Prefix: t.prefix, Random: func() uint64 {
		if !asked.Swap(true) {
			return 0
		}
		return rand.Uint64()
	}})
}

// counterItems are the counter items of all groups.
func (t tables) counterItems(tb testing.TB) (found []table.Item) {
	tb.Helper()
	out, err := t.client.Scan(tb.Context(), &dynamodb.ScanInput{TableName: aws.String(t.prefix + "-letters")})
	must(tb, err)
	for _, i := range out.Items {
		if strings.HasPrefix(table.Item(i).Text(table.AttrPK), "groups#") {
			found = append(found, i)
		}
	}
	return found
}

// A group whose letters are all gone leaves no counter item behind, unless somebody is
// at it.
func TestEmptyCounterItemsAreRemoved(t *testing.T) {
	t.Parallel()
	for name, died := range map[string]bool{"nobody is at it": false, "somebody has marked it": true} {
		x := newTables(t)
		s := x.firstCounterItem(x.client)
		l := newLetter("app", 0)
		must(t, second(s.PutLetters(t.Context(), []push.Letter{l})))
		must(t, second(s.MoveLetters(t.Context(), []push.LetterMove{{ID: l.ID, Version: 1, State: push.LetterDiscarded, At: at()}})))
		if died {
			var left atomic.Int64
			left.Store(2) // the journal and the mark
			_, err := x.firstCounterItem(mortal{x.client, &left}).PutLetters(t.Context(), []push.Letter{newLetter("app", 2)})
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
		}
		must(t, second(s.PurgeLetters(t.Context(), at().Add(time.Hour), 10)))
		if counterItems := x.counterItems(t); (len(counterItems) == 1) != died || len(counterItems) > 1 {
			t.Errorf("%s: left behind: %v", name, counterItems)
		}
	}
}

// itemsOf are a letter and what there is of its body.
func (t tables) itemsOf(tb testing.TB, id push.ID) []map[string]types.AttributeValue {
	tb.Helper()
	out, err := t.client.Query(tb.Context(), &dynamodb.QueryInput{
		TableName: aws.String(t.prefix + "-letters"), KeyConditionExpression: aws.String("pk = :pk"), ConsistentRead: aws.Bool(true),
		ExpressionAttributeValues: table.Item{":pk": table.Text(string(id))}, ProjectionExpression: aws.String("pk, sk, " + table.TTLAttribute),
	})
	must(tb, err)
	return out.Items
}

// A body that no item holds is cut, comes back whole, and goes with its letter.
func TestLargeLetters(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	var noise []byte
	for len(noise) < 1<<20 { // a queue message's most
		noise = append(noise, token(len(noise))...)
	}
	for name, body := range map[string][]byte{"deflates": bytes.Repeat([]byte("x"), 1<<20), "does not": noise[:1<<20]} {
		l := newLetter(name, 0)
		l.Kind, l.Cell, l.Body, l.Recipient = push.LetterMessage, -1, body, push.Recipient{}
		n, err := s.PutLetters(t.Context(), []push.Letter{l})
		must(t, err)
		again, err := s.PutLetters(t.Context(), []push.Letter{l})
		must(t, err)
		if n != 1 || again != 0 {
			t.Errorf("%s: stored %d and %d times", name, n, again)
		}
		got, err := s.Letter(t.Context(), l.ID)
		must(t, err)
		listed, _, err := s.Letters(t.Context(), push.LetterFilter{App: name}, "", 10)
		must(t, err)
		if len(listed) != 1 || !bytes.Equal(got.Body, body) || !bytes.Equal(listed[0].Body, body) {
			t.Errorf("%s: the body of %d bytes came back with %d", name, len(body), len(got.Body))
		}
		must(t,
			second(s.MoveLetters(t.Context(), []push.LetterMove{{ID: l.ID, Version: 1, State: push.LetterDiscarded, At: at(), Reason: "noise"}})))
		if got, err = s.Letter(t.Context(), l.ID); err != nil || len(got.Body) != 0 || got.Reason != "noise" {
			t.Errorf("%s: tombstone with %d bytes of body (%v)", name, len(got.Body), err)
		}
		if left := x.itemsOf(t, l.ID); len(left) != 1 {
			t.Errorf("%s: %d items are left, want the tombstone", name, len(left))
		}
	}
}

// Purged letters are absent at once, wherever one looks, and parked ones never
// expire.
func TestParkedLettersNeverExpire(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	l := newLetter("app", 0)
	must(t, second(s.PutLetters(t.Context(), []push.Letter{l})))
	if _, err := x.later(100*365*24*time.Hour).Letter(t.Context(), l.ID); err != nil {
		t.Errorf("a parked letter after a century: %v", err)
	}
	if i := x.itemsOf(t, l.ID); len(i) != 1 || table.Item(i[0]).Has(table.TTLAttribute) {
		t.Error("a parked letter has an expiry")
	}
	must(t, second(s.MoveLetters(t.Context(), []push.LetterMove{{ID: l.ID, Version: 1, State: push.LetterDiscarded, At: at()}})))
	must(t, second(s.PurgeLetters(t.Context(), at().Add(time.Hour), 10)))
	if _, err := s.Letter(t.Context(), l.ID); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("reading a purged letter: %v", err)
	}
}

// What is rare is found in a few rounds, and a page that finds nothing ends.
func TestRareLetters(t *testing.T) {
	t.Parallel()
	m := newMeterer(t)
	letters := make([]push.Letter, 300)
	for i := range letters {
		letters[i] = newLetter("app", i)
	}
	must(t, second(m.store.PutLetters(t.Context(), letters)))
	for text, want := range map[string]int{"(request 0)": 1, "no such words": 0} {
		found := 0
		bill := m.measure(t, func(s *Store) error {
			page, next, err := s.Letters(t.Context(), push.LetterFilter{Text: text}, "", 1)
			if found = len(page); next != "" {
				t.Errorf("%q: a cursor behind the last letter", text)
			}
			return err
		})
		if most := 150; found != want || bill.calls > most {
			t.Errorf("%q: found %d letters in %d calls", text, found, bill.calls)
		}
	}
}
