package letters

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

// Groups name what is behind them: all of it where letters are few, and of many the ends.
func TestSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		var ids []push.ID
		for i, n := range []int{500, 3, 2, 2, 1, 500} { // in the order of their deaths
			codes := make([]push.Code, n)
			for k := range codes {
				codes[k] = dead
			}
			ref := w.Chunk(codes...)
			head := w.Head(ref.Notification)
			head.Message = push.Message(fmt.Sprintf(`{"notification":{"title":"No. %d"}}`, i))
			head.Labels = map[string]string{"campaign": "x", "n": strconv.Itoa(i)}
			w.Ledger.PutNotification(head)
			w.Die(ref)
			ids = append(ids, ref.Notification)
			time.Sleep(time.Second)
		}
		w.Ledger.ForgetNotification(ids[5])
		groups, err := w.room.Groups(t.Context(), push.LetterFilter{})
		if err != nil || len(groups) != 1 {
			t.Fatalf("%d groups (%v)", len(groups), err)
		}
		if err := w.room.AddSources(t.Context(), push.LetterFilter{}, groups); err != nil {
			t.Fatal(err)
		}
		want := Sources{
			Looked: 400, Labels: []LabelCount{{"campaign", "x", 400}, {"n", "0", 200}, {"n", "5", 200}},
			Notifications: []Source{{ids[0], "No. 0", 200}, {ids[5], "", 200}},
		}
		if ids[5] < ids[0] {
			want.Notifications[0], want.Notifications[1] = want.Notifications[1], want.Notifications[0]
		}
		if diff := cmp.Diff(want, groups[0].Sources); diff != "" {
			t.Errorf("of many (-want +got):\n%s", diff)
		}
		few, err := w.room.Sources(t.Context(), push.LetterFilter{LabelName: "n", LabelValue: "1"})
		want = Sources{
			Looked: 3, Labels: []LabelCount{{"campaign", "x", 3}, {"n", "1", 3}}, Notifications: []Source{{ids[1], "No. 1", 3}},
		}
		if diff := cmp.Diff(want, few); err != nil || diff != "" {
			t.Errorf("of few (-want +got):\n%s%v", diff, err)
		}
		none, err := w.room.Sources(t.Context(), push.LetterFilter{States: []push.LetterState{push.LetterDiscarded}})
		if diff := cmp.Diff(Sources{}, none); err != nil || diff != "" {
			t.Errorf("of none (-want +got):\n%s%v", diff, err)
		}
	})
}
