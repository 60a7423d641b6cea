package httpapi

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

// permissionsPath is the document that is made from the routes.
const permissionsPath = "../../docs/permissions.md"

// The permission matrix in the documentation is that of the routing table and of the built-in
// roles, so it cannot fall behind.
func TestPermissionsDocument(t *testing.T) {
	t.Parallel()
	want := permissionsDocument(setup(t).Routes())
	if *update {
		if err := os.WriteFile(permissionsPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(permissionsPath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/permissions.md (-want +got; run with -update to accept):\n%s", diff)
	}
}

func permissionsDocument(routes []*door.Route) string {
	var b strings.Builder
	b.WriteString("# Permissions\n\n" +
		"```sh\nbelfry role list\n```\n\n" +
		"Every request needs exactly one permission. A key has those of its [role](tenants.md#roles), narrowed by its scopes. Who lacks it is\n" +
		"answered 403; what belongs to another tenant is 404, with or without it. This page is made from the routing table " +
		"and the built-in roles\n" +
		"by `go test ./internal/httpapi -run TestPermissionsDocument -update`, and a test fails when it is out of date.\n\n" +
		"## Who has what\n\n| permission | scope |")
	roles := access.BuiltinRoles()
	for i := range roles {
		b.WriteString(" " + roles[i].Name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat(":-:|", len(roles)) + "\n")
	for _, p := range access.Permissions() {
		fmt.Fprintf(&b, "| `%s` | `%s` |", p, scopeOf(p))
		for i := range roles {
			switch {
			case p == access.PermPlatform && roles[i].Set().Has(p):
				b.WriteString(" ¹ |")
			case roles[i].Set().Has(p):
				b.WriteString(" ✓ |")
			default:
				b.WriteString("  |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n¹ Owners of the tenant `default` only: they operate the platform. A key that is limited to an app has none of " +
		"`platform`, `audit`,\n" +
		"`approve` and `privacy`, which concern the whole tenant.\n\n## Which request needs what\n\n" +
		"| permission | request | what it does |\n|---|---|---|\n")
	for _, p := range access.Permissions() {
		for _, rt := range routes {
			if rt.Needs == p {
				fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", p, rt.Pattern(), rt.About)
			}
		}
	}
	b.WriteString("\nNo key is needed for:\n\n")
	for _, rt := range routes {
		if rt.Open {
			fmt.Fprintf(&b, "- `%s`: %s\n", rt.Pattern(), rt.About)
		}
	}
	return b.String()
}

func scopeOf(p access.Permission) access.Scope {
	for _, s := range access.Scopes() {
		if s.Permissions().Has(p) {
			return s
		}
	}
	return ""
}

// Every operation of the API's document says which permission it needs, in a member for
// programs and in words.
func TestOperationsSayTheirPermission(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for _, rt := range g.Routes() {
		op := doortest.OperationOf(g.Spec.Doc.Paths[rt.Path], rt.Method)
		said, _ := op.Extensions[door.PermissionExtension].(string)
		if said != string(rt.Needs) || (rt.Needs != "") != strings.Contains(op.Description, "Needs the permission `"+said+"`") {
			t.Errorf("%s needs %q; the document says %q: %s", rt.Pattern(), rt.Needs, said, op.Description)
		}
	}
}
