package config

import "testing"

// A dispatcher shares FCM's quota with others unless it is told not to; what runs everything on a data directory has the
// project to itself.
func TestWhoSharesTheQuota(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		setting    string
		everything bool
		backend    string
		want       bool
	}{
		{SharedAuto, false, BackendEmbedded, true},
		{SharedAuto, false, BackendAWS, true},
		{SharedAuto, true, BackendEmbedded, false},
		{SharedAuto, true, BackendAWS, true},
		{SharedOn, true, BackendEmbedded, true},
		{SharedOff, false, BackendAWS, false},
		{"", false, BackendAWS, true}, // who builds the settings in code
	} {
		if got := (FCM{SharedQuota: c.setting}).SharesQuota(c.everything, c.backend); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
