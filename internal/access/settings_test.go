package access

import (
	"reflect"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func TestInherit(t *testing.T) {
	t.Parallel()
	e := Inherit(
		Settings{TTL: new(int64(60)), Weight: new(int64(2)), OverQuota: new(OverDefer)},
		Settings{Weight: new(int64(3)), Priority: new(push.PriorityBulk), OverQuota: new(OverRefuse)},
		Settings{Priority: new(push.PriorityHigh)},
	)
	if *e.TTL != 60 || *e.Weight != 3 || *e.Priority != push.PriorityHigh || *e.OverQuota != OverRefuse || *e.MaxAttempts != 8 {
		t.Errorf("got %+v", e)
	}
	for name, want := range map[string]string{
		"ttl": FromPlatform, "weight": FromTenant, "priority": FromApp, "over_quota": FromTenant, "max_attempts": FromBuiltin,
	} {
		if e.From[name] != want {
			t.Errorf("%s is said to come from %q, want %q", name, e.From[name], want)
		}
	}
}

// A setting without a default of Belfry's own would have no value at all.
func TestBuiltinSetsEverything(t *testing.T) {
	t.Parallel()
	s := Builtin()
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if v.Field(i).IsNil() {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
	if faults := s.Check(); len(faults) > 0 {
		t.Errorf("a default is refused: %v", faults)
	}
	if e := Inherit(Settings{}, Settings{}, Settings{}); len(e.From) != v.NumField() {
		t.Errorf("%d of %d settings say where they come from", len(e.From), v.NumField())
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	s := Settings{
		TTL: new(int64(0)), MaxAttempts: new(int64(101)), Weight: new(int64(-1)), RecipientsPerDay: new(int64(-5)),
		Priority:  new(push.Priority("urgent")),
		Guarantee: new(push.Guarantee("once")), OverQuota: new(Over("drop")),
	}
	got := map[string]bool{}
	for _, f := range s.Check() {
		got[f.Pointer] = true
		if !strings.Contains(f.Detail, "got") {
			t.Errorf("%s does not repeat the value: %s", f.Pointer, f.Detail)
		}
	}
	for _, p := range []string{"/ttl", "/max_attempts", "/weight", "/recipients_per_day", "/priority", "/delivery_guarantee", "/over_quota"} {
		if !got[p] {
			t.Errorf("%s is let in", p)
		}
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	var covers Set
	for _, s := range Scopes() {
		if covers&s.Permissions() != 0 {
			t.Errorf("scope %s shares permissions with another", s)
		}
		covers |= s.Permissions()
	}
	if covers != AllPermissions() {
		t.Errorf("no scope covers %s", AllPermissions()&^covers)
	}
	if Set(0).Has("") || AllPermissions().Has("") || AllPermissions().Has("no such") {
		t.Error("a permission that does not exist is had")
	}
	for _, r := range BuiltinRoles() {
		if len(r.Set().List()) != len(r.Permissions) {
			t.Errorf("role %s names a permission twice, or one that does not exist", r.Name)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "shop", "9to5", "a-b", strings.Repeat("x", MaxName)} {
		if !ValidName(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "-a", "A", "a_b", "a/b", "a.b", "..", "a b", "a\x00", "ä", "a\n", "%2e", "a:b", "*", strings.Repeat("x", MaxName+1),
	} {
		if ValidName(bad) {
			t.Errorf("%q is let in", bad)
		}
	}
}
