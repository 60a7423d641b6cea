package push

import (
	"encoding/json"
	"testing"
	"time"
)

// TestHoldsStored: what is held is stored as a list, and what a newer program holds
// stays held.
func TestHoldsStored(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	p := Progress{Version: 3, State: StateSending}
	if b, err := json.Marshal(p); err != nil || string(b) != `{"version":3,"state":"sending","enqueued":false,"sources":0,"pages":0}` {
		t.Errorf("nothing held is stored as %s (%v)", b, err)
	}
	p.Held[PartIOS] = Hold{Code: CodeFCMThirdPartyAuth, Refused: 20, Since: at}
	p.Held[PartUnknown] = Hold{Code: CodeAPNsTopic, Refused: 21, Since: at, Scattered: true}
	b, err := json.Marshal(p.Held)
	want := `[{"platform":"unknown","code":"apns.topic","refused":21,"since":"2026-11-29T08:00:00Z","scattered":true},` +
		`{"platform":"ios","code":"fcm.third_party_auth","refused":20,"since":"2026-11-29T08:00:00Z"}]`
	if err != nil || string(b) != want {
		t.Errorf("stored as %s (%v)", b, err)
	}
	var back Holds
	if err := json.Unmarshal(b, &back); err != nil || back != p.Held {
		t.Errorf("read as %+v (%v)", back, err)
	}
	if err := json.Unmarshal([]byte(`[{"platform":"tv","code":"tv.asleep","refused":4,"more":1}]`), &back); err != nil ||
		!back.Stopped(PartUnknown) || back.Stopped(PartIOS) {
		t.Errorf("of a newer program: %+v (%v)", back, err)
	}
}

// TestHoldsRest: a part that is held rests, of a scattered one who was refused so.
func TestHoldsRest(t *testing.T) {
	t.Parallel()
	var h Holds
	if h.Any() || h.Stopped(PartIOS) || h.StoppedFor(PartIOS, CodeFCMThirdPartyAuth) || h.StoppedFor(PartIOS, CodeOpen) {
		t.Error("nothing is held")
	}
	h[PartIOS] = Hold{Code: CodeFCMThirdPartyAuth}
	h[PartWeb] = Hold{Code: CodeFCMThirdPartyAuth, Scattered: true}
	for _, c := range []struct {
		part         Part
		after        Code
		all, refused bool
	}{
		{PartIOS, CodeAPNsTopic, true, true},
		{PartWeb, CodeFCMThirdPartyAuth, false, true},
		{PartWeb, CodeAPNsTopic, false, false},
		{PartWeb, CodeOpen, false, false},
		{PartAndroid, CodeFCMThirdPartyAuth, false, false},
	} {
		if h.Stopped(c.part) != c.all || h.StoppedFor(c.part, c.after) != c.refused {
			t.Errorf("%s after %s: %v, %v", c.part, c.after, h.Stopped(c.part), h.StoppedFor(c.part, c.after))
		}
	}
}

func TestPart(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Recipient{
		"unknown": {Address: Address{Kind: KindToken}}, "ios": {Address: Address{Kind: KindFID}, Platform: PlatformIOS},
		"android": {Address: Address{Kind: KindToken}, Platform: PlatformAndroid},
		"web":     {Address: Address{Kind: KindToken}, Platform: PlatformWeb},
		"topic":   {Address: Address{Kind: KindTopic}},
	} {
		if got := r.Part().String(); got != want {
			t.Errorf("%+v is of %s, want %s", r, got, want)
		}
	}
}
