package letterstest

import (
	"bytes"
	"math/rand/v2"

	"github.com/belfry-push/belfry/internal/push"
)

func erase(f *fixture) {
	random := rand.NewChaCha8([32]byte{7})
	large := f.message(2)
	large.Body = make([]byte, 900_000) // a driver may keep it in parts
	_, _ = random.Read(large.Body)     // never fails
	ls := f.put(f.recipient(0), f.message(1), large)
	groups, err := f.LetterGroups(f.Context(), push.LetterFilter{App: f.app})
	f.must(err)
	for _, l := range ls {
		want := l
		want.Version++
		want.Detail = "shorter"
		if l.Kind == push.LetterRecipient {
			want.Recipient.Erase("prv_1")
		} else {
			want.Body = append([]byte("erased"), bytes.Clone(l.Body[1:])...)
		}
		f.must(f.EraseLetter(f.Context(), l.ID, func(l *push.Letter) {
			l.Recipient, l.Body, l.Detail = want.Recipient, want.Body, want.Detail
			l.Tenant, l.State, l.Fingerprint = "another", push.LetterReplayed, "another"
		}))
		got, err := f.Letter(f.Context(), l.ID)
		f.must(err)
		f.same("the erased letter", got, want)
		if f.move(push.LetterMove{ID: l.ID, Version: l.Version, State: push.LetterDiscarded, At: epoch()}) {
			f.Error("a letter was moved by a version from before")
		}
	}
	again, err := f.LetterGroups(f.Context(), push.LetterFilter{App: f.app})
	f.must(err)
	sortGroups(groups)
	sortGroups(again)
	f.same("the groups", again, groups)
	f.must(f.EraseLetter(f.Context(), push.NewID(push.PrefixDeadLetter), func(*push.Letter) {}))
}
