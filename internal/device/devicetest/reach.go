package devicetest

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// reach looks up devices that were never sent to, were sent to, are quarantined,
// have every field set, or are another tenant's.
func reach(f *fixture) {
	fresh, sent, gone, full, other := f.device("fresh"), f.device("sent"), f.device("gone"), f.device("full"), *f
	fresh.Platform, sent.Platform, full.Platform = push.PlatformIOS, "", push.PlatformWeb
	full.UserID, full.Locale, full.Timezone, full.AppVersion = "grün", "pt-BR", "Europe/Zurich", "4.2 🐝"
	full.Attributes = map[string]string{"plan": "gold", "": "empty"}
	full.Address.Kind = push.KindFID
	other.tenant += "-other"
	theirs := other.device("theirs")
	f.put(fresh, sent, gone, full)
	other.put(theirs)
	at := epoch().Add(time.Hour)
	f.note([]push.ID{"gone"},
		push.DeviceNote{Address: sent.Address, Code: push.CodeSent, At: at, SentAt: epoch()},
		push.DeviceNote{Address: full.Address, Code: push.CodeSent, At: at.Add(time.Second), SentAt: epoch()},
		unregistered(gone.Address, epoch().Add(time.Second)),
	)
	ghost := push.Address{Kind: push.KindToken, Value: full.Address.Value}
	want := map[push.Address]push.Reach{
		fresh.Address: {Sendable: true, Platform: fresh.Platform}, sent.Address: {Sendable: true, LastSuccessAt: at, Platform: sent.Platform},
		gone.Address: {Platform: gone.Platform},
		full.Address: {Sendable: true, LastSuccessAt: at.Add(time.Second), Platform: full.Platform},
	}
	f.eventually(func() string {
		got, err := f.ReachByAddress(f.Context(), f.tenant, []push.Address{
			sent.Address, ghost, fresh.Address, theirs.Address, gone.Address, sent.Address, full.Address,
		})
		f.must(err)
		return difference(got, want)
	})
	none, err := f.ReachByAddress(f.Context(), f.tenant, nil)
	f.must(err)
	if len(none) != 0 {
		f.Error("looking up nothing found something")
	}
}
