package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// caches are what a process remembers between calls, or shares among callers at the same time, and what keeps tenants apart in
// each. Whoever adds one says it here, and in a test of its own how two tenants with equal ids fare.
func caches() map[string]string {
	const (
		byKey    = "the key is the tenant, or has it"
		byID     = "by the id of a notification, which is one tenant's: ids are drawn, or derived from the tenant; callers ask for their own"
		installs = "of the installation's, which have no tenant"
		hand     = "what is in hand, by names that this process draws or the queue gives"
		rows     = "by numbers of rows, which are never given again"
		texts    = "what a text or a type means, which is the same for all"
		project  = "by credential: those of one project are meant to share it"
	)
	return map[string]string{
		"access/recent.go cache otter.Cache[string]":     "API keys, by an id that no other tenant's key has; and the list of tenants",
		"access/recent.go reads singleflight.Group":      "as its cache",
		"quota/quota.go gates otter.Cache[who]":          byKey,
		"quota/line.go last map[string]":                 byKey + ", before a stroke, which no name has",
		"quota/quota.go looking map[string]":             byKey,
		"fanout/registry.go known otter.Cache[knownKey]": byKey,
		"deliver/heads.go cache otter.Cache[push.ID]":    byID,
		"deliver/heads.go reads singleflight.Group":      byID,
		"deliver/lease/claims.go held map[string]":       hand,
		"report/sums.go flights singleflight.Group":      byID,
		"report/sums.go kept map[push.ID]":               byID,
		"report/names.go kept map[pageRef]":              byID,
		"report/report.go feeds map[feedKey]":            byKey,
		"report/waiting.go last map[string]":             byKey + ", before a stroke, which no name has",
		"usage/usage.go flights singleflight.Group":      byKey,
		"usage/usage.go kept map[string]":                byKey,
		"status/room.go scopes map[string]":              byKey,
		"tail/hub.go listeners map[]":                    hand + "; what each may see, its key says: TestFilters",
		"tail/hub.go origins map[string]":                "processes, by names that they draw",
		"tail/source.go versions map[string]":            "this process's own documents",
		"batch/indexes.go byID map[push.ID]":             byID,
		"httpapi/frames.go kept map[push.ID]":            byID,
		"letters/heads.go known map[push.ID]":            byID,
		"privacy/tombstones.go tenants map[string]":      byKey,
		"audit/journal/journal.go lines map[string]":     byKey,
		"audit/journal/journal.go failing map[string]":   byKey,
		"audit/journal/journal.go ends map[string]":      byKey,

		"replay/predict/examine.go heads map[push.ID]":       byID,
		"replay/predict/examine.go lines map[push.ChunkRef]": byID,
		"replay/predict/examine.go messages map[push.ID]":    byID,
		"replay/predict/examine.go breakers map[string]":     project,

		"app/breakers/changes.go last map[string]":            project,
		"app/dispatcher/channels.go apps map[credential.Ref]": byKey,
		"app/dispatcher/guards.go all map[string]":            project,
		"app/dispatcher/weights.go known map[string]":         byKey,
		"app/bus.go subs map[int]":                            "subscribers of this process, which get every event with its tenant",
		"guard/metrics.go guards map[string]":                 project,
		"guard/metrics.go labels map[]":                       project,
		"sharedrate/set.go buckets map[string]":               "by name: a quota's has the tenant, FCM's is a project's",
		"telemetry/repeats.go of map[string]":                 "by message and the keys that tell lines apart, of which tenant is one",
		"worker/shares.go groups map[string]":                 byKey,
		"worker/worker.go inHand map[string]":                 hand,

		"adapter/awsconf/client.go all map[string]":             "clients " + installs,
		"adapter/dynamo/devices/devices.go aside sync.Map":      byKey,
		"adapter/dynamo/devices/devices.go registered sync.Map": byKey,
		"adapter/fcm/h2/client.go living map[]":                 "connections " + installs,
		"adapter/fcm/h2/conn.go streams map[uint32]":            "requests on a connection, by the number that it gives them",
		"adapter/fcm/nethttp/client.go open map[]":              "connections " + installs,
		"adapter/sqlite/ledger/bodies.go young map[int64]":      rows,
		"adapter/sqlite/ledger/bodies.go elder map[int64]":      rows,
		"adapter/sqlite/queue/watch.go bells map[int64]":        "queues " + installs,
		"regional/locale.go remembered sync.Map":                texts,
		"request/typed.go typedRules sync.Map":                  texts,
	}
}

// TestEveryCacheKeepsTenantsApart finds every cache in the source, and wants a reason for it.
func TestEveryCacheKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	reasons, root := caches(), filepath.Join("..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasSuffix(path, "test") || slices.Contains(oneTenants(), d.Name())) {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, cache := range cachesIn(file) {
			found := filepath.ToSlash(rel) + " " + cache
			if reasons[found] == "" {
				t.Errorf("%s is new: say in caches what keeps tenants apart in it, and test it", found)
			}
			delete(reasons, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		t.Errorf("there is no cache %s", name)
	}
}

// cachesIn returns the fields and variables of a file that may outlive a call, and so be one tenant's and then another's: caches,
// singleflight.Groups, sync.Maps, and maps that have a mutex beside them.
func cachesIn(file *ast.File) (found []string) {
	add := func(names []*ast.Ident, typ ast.Expr, guarded bool) {
		for _, name := range names {
			if what := cacheOf(typ, guarded); what != "" {
				found = append(found, name.Name+" "+what)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType:
			guarded := slices.ContainsFunc(n.Fields.List, func(f *ast.Field) bool {
				return nameOf(f.Type) == "sync.Mutex" || nameOf(f.Type) == "sync.RWMutex"
			})
			for _, f := range n.Fields.List {
				add(f.Names, f.Type, guarded)
			}
		case *ast.ValueSpec:
			add(n.Names, n.Type, false)
		case *ast.AssignStmt: // a local one that a closure keeps
			for _, made := range n.Rhs {
				if c, ok := made.(*ast.CompositeLit); ok && cacheOf(c.Type, false) != "" {
					found = append(found, "a local "+cacheOf(c.Type, false))
				}
			}
		}
		return true
	})
	return found
}

// cacheOf names the type of a cache with the type of its key, or returns "".
func cacheOf(e ast.Expr, guarded bool) string {
	if p, ok := e.(*ast.StarExpr); ok {
		e = p.X
	}
	if m, ok := e.(*ast.MapType); ok && guarded {
		return "map[" + nameOf(m.Key) + "]"
	}
	key := ""
	if i, ok := e.(*ast.IndexListExpr); ok {
		e, key = i.X, "["+nameOf(i.Indices[0])+"]"
	}
	switch name := nameOf(e); name {
	case "otter.Cache", "singleflight.Group", "sync.Map":
		return name + key
	}
	return ""
}

// nameOf is how a type is named in a source.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// oneTenants are the packages that no tenant's request comes to: the simulator, and commands.
func oneTenants() []string { return []string{"fcmsim", "cli", "bench", "demo"} }
