package push

import (
	"cmp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSeenIDIsStable(t *testing.T) {
	t.Parallel()
	a := Address{Kind: KindToken, Value: "token"}
	const want = "dev_d11f3fb5-3d3f-8621-b0b5-f4ead13e3ae0"
	if got := SeenID("tenant", a); got != want {
		t.Errorf("got %s, want %s: ids that are stored would change", got, want)
	}
	if SeenID("other", a) == want || SeenID("tenant", Address{Kind: KindFID, Value: "token"}) == want {
		t.Error("tenant and kind do not matter")
	}
}

// The id has the key in front, in its order, and gives it back.
func TestSeenIDHasItsKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tenant := rapid.String().Draw(t, "tenant")
		a := Address{Kind: rapid.SampledFrom([]Kind{KindToken, KindFID}).Draw(t, "kind"), Value: Token(rapid.String().Draw(t, "value"))}
		id := SeenID(tenant, a)
		if _, err := ParseID(string(id), PrefixDevice); err != nil {
			t.Fatal(err)
		}
		if key, ok := SeenKeyOf(id); !ok || key != SeenKey(tenant, a) {
			t.Fatalf("%s has the key %x, %t, want %x", id, key, ok, SeenKey(tenant, a))
		}
		x, y := rapid.Uint64().Draw(t, "x"), rapid.Uint64().Draw(t, "y")
		more, less := rapid.Uint64().Draw(t, "more"), rapid.Uint64().Draw(t, "less")
		if x != y && cmp.Compare(seenID(x, more), seenID(y, less)) != cmp.Compare(x, y) {
			t.Fatalf("%x and %x change places", x, y)
		}
		if key, ok := SeenKeyOf(seenID(x, more)); !ok || key != x {
			t.Fatalf("%x became %x", x, key)
		}
	})
}

func TestOtherIDsHaveNoKey(t *testing.T) {
	t.Parallel()
	seen := string(SeenID("tenant", Address{Kind: KindToken, Value: "token"}))
	for _, id := range []string{
		"", "dev_", "phone-1", string(NewID(PrefixDevice)), "ntf" + seen[3:], strings.ToUpper(seen), "dev_" + strings.ToUpper(seen[4:]),
		seen + "0", seen[:39], strings.Replace(seen, "-8", "-4", 1), strings.ReplaceAll(seen, "-", "_"),
	} {
		if key, ok := SeenKeyOf(ID(id)); ok {
			t.Errorf("%q has the key %x", id, key)
		}
	}
}
