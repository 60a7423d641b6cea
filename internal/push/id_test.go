package push

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestNewIDsSortByCreation(t *testing.T) {
	t.Parallel()
	ids := make([]ID, 1000)
	for i := range ids {
		ids[i] = NewID(PrefixNotification)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by creation")
	}
	if got := len(slices.Compact(ids)); got != 1000 {
		t.Errorf("%d of 1000 ids are different", got)
	}
	id, err := ParseID(string(ids[0]), PrefixNotification)
	if err != nil || id != ids[0] || len(id) != 40 || id.Prefix() != "ntf" {
		t.Errorf("ParseID(%q) = %q, %v", ids[0], id, err)
	}
}

// Derived ids are idempotency records: they must stay the same for ever.
func TestDerivedIDIsStable(t *testing.T) {
	t.Parallel()
	const want = "ntf_9368e560-3e84-8f99-9544-aaaa19307f86"
	if got := DerivedID(PrefixNotification, "tenant", "key"); got != want {
		t.Errorf("derived id is %s, want %s", got, want)
	}
	u, err := uuid.Parse(want[4:])
	if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		t.Errorf("%s is of version %d and variant %d, %v", want, u.Version(), u.Variant(), err)
	}
}

func TestDerivedIDsDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab: 0-9]{0,6}`)
		a := [3]string{rapid.SampledFrom([]string{"ntf", "bat"}).Draw(t, "prefix"), text.Draw(t, "tenant"), text.Draw(t, "key")}
		b := [3]string{rapid.SampledFrom([]string{"ntf", "bat"}).Draw(t, "prefix"), text.Draw(t, "tenant"), text.Draw(t, "key")}
		if same := DerivedID(a[0], a[1], a[2]) == DerivedID(b[0], b[1], b[2]); same != (a == b) {
			t.Fatalf("%q and %q have the same id: %v", a, b, same)
		}
	})
}

func TestParseID(t *testing.T) {
	t.Parallel()
	const u = "01890a5d-ac96-774b-bcce-b302099a8057"
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"first prefix", "ntf_" + u, true},
		{"second prefix", "bat_" + u, true},
		{"another prefix", "dev_" + u, false},
		{"no prefix", u, false},
		{"empty prefix", "_" + u, false},
		{"no uuid", "ntf_", false},
		{"bad digit", "ntf_" + strings.Replace(u, "0", "g", 1), false},
		{"without dashes", "ntf_" + strings.ReplaceAll(u, "-", ""), false},
		{"in braces", "ntf_{" + u + "}", false},
		{"trailing bytes", "ntf_" + u + " ", false},
		{"empty", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseID(c.in, PrefixNotification, PrefixBatch)
			if (err == nil) != c.ok || c.ok && string(got) != c.in || !c.ok && got != "" {
				t.Errorf("ParseID(%q) = %q, %v", c.in, got, err)
			}
			if err != nil && !strings.Contains(err.Error(), "ntf_ or bat_") {
				t.Errorf("%v does not name the form", err)
			}
		})
	}
	if _, err := ParseID(strings.Repeat("x", 10_000), PrefixBatch); len(err.Error()) > 200 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	if !ID("bat_x").IsBatch() || ID("ntf_x").IsBatch() || ID("bat").Prefix() != "bat" {
		t.Error("prefixes are misread")
	}
}
