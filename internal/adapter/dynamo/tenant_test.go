package dynamo

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

// tenantless are the shapes of keys without the tenant, and why that keeps tenants apart all the same. Whoever writes a new
// kind of item puts the tenant into its key, or a reason here. See shape for how they read.
func tenantless() map[string]string {
	const (
		notification = "is found by the id of a notification, which is one tenant's, and whose item is read and compared before"
		letter       = "is found by the id of a letter, whose item names the tenant, which is compared"
		last         = "has the tenant, with nothing behind it"
	)
	return map[string]string{
		"notifications id=*": "is the notification: its id is one tenant's, and its attribute tenant is compared with who asks",
		"chunks pk=* sk=L#*": notification,
		"chunks pk=* sk=P#*": notification,
		"chunks pk=* sk=A#*": notification,

		"devices pk=I#* sk=*": last,
		"devices pk=S#* sk=*": last,

		"letters pk=* sk=*":         letter,
		"letters pk=* sk=part#*":    letter,
		"letters pk=groups#* sk=*":  "is about a group, whose hash covers the tenant, and whose item names it",
		"letters pk=replay#* sk=*":  "is found by the id of a replay, whose document names the tenant",
		"letters pk=journal#* sk=*": "is a call under way, by a nonce; the letters in it name their tenants",

		"config document": "has kinds whose names begin with the tenant, or whose value names it, as its room decides",
	}
}

// shape is what a key looks like: the table, and what stands before the first '#' of each part, with '*' for what varies.
func shape(prefix, tableName string, key table.Item) string {
	parts := []string{strings.TrimPrefix(tableName, prefix+"-")}
	if kind := key.Text(table.AttrKind); kind != "" && !strings.Contains(kind, "#") {
		return parts[0] + " document" // see table.SuffixConfig
	}
	for _, name := range []string{table.AttrKind, table.AttrPK, table.AttrSK, table.AttrID} {
		if !key.Has(name) {
			continue
		}
		before, _, marked := strings.Cut(key.Text(name), "#")
		switch {
		case marked && lettersOnly.MatchString(before):
			before += "#*"
		default:
			before = "*"
		}
		parts = append(parts, name+"="+before)
	}
	return strings.Join(parts, " ")
}

var lettersOnly = regexp.MustCompile(`^[A-Za-z-]+$`)

// scoped finds names as [table.Scoped] writes them.
var scoped = regexp.MustCompile(`(?:^|#)(\d{1,3})#`)

// hasTenant reports whether the tenant is in a key: in scoped form, or as the item names it.
func hasTenant(key, item table.Item) bool {
	tenant := item.Text(table.AttrTenant)
	for _, v := range key {
		s, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			continue
		}
		if tenant != "" && strings.Contains(s.Value, tenant) {
			return true
		}
		for _, m := range scoped.FindAllStringSubmatchIndex(s.Value, -1) {
			n, err := strconv.Atoi(s.Value[m[2]:m[3]])
			if rest := s.Value[m[1]:]; err == nil && n > 0 && len(rest) >= n && (len(rest) == n || rest[n] == '#') {
				return true
			}
		}
	}
	return false
}

// keysWatch looks at every item that is written by way of a client.
type keysWatch struct {
	prefix string
	keys   map[string]table.Key

	mu    sync.Mutex
	found map[string]bool // shapes of keys that have no tenant
	seen  map[string]bool // all
}

// watchKeys has a test fail if what it writes has neither the tenant in its key nor a reason for that.
func watchKeys(tb testing.TB, prefix string) func(*dynamodb.Options) {
	tb.Helper()
	w := &keysWatch{prefix: prefix, keys: map[string]table.Key{}, found: map[string]bool{}, seen: map[string]bool{}}
	for _, t := range Tables(prefix) {
		w.keys[t.Name] = t.Key
	}
	tb.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		reasons := tenantless()
		for s := range w.found {
			if reasons[s] == "" {
				tb.Errorf("an item %q has no tenant in its key: put it there, or say in tenantless why it needs none", s)
			}
		}
	})
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("keys", func(
				ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
			) (middleware.InitializeOutput, middleware.Metadata, error) {
				w.look(in.Parameters)
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
		})
	}
}

func (w *keysWatch) look(in any) {
	switch in := in.(type) {
	case *dynamodb.PutItemInput:
		w.item(in.TableName, in.Item)
	case *dynamodb.UpdateItemInput:
		w.item(in.TableName, in.Key)
	case *dynamodb.BatchWriteItemInput:
		for name, all := range in.RequestItems {
			for _, r := range all {
				if r.PutRequest != nil {
					w.item(&name, r.PutRequest.Item)
				}
			}
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, t := range in.TransactItems {
			switch {
			case t.Put != nil:
				w.item(t.Put.TableName, t.Put.Item)
			case t.Update != nil:
				w.item(t.Update.TableName, t.Update.Key)
			}
		}
	}
}

func (w *keysWatch) item(tableName *string, i table.Item) {
	name := aws.ToString(tableName)
	k := w.keys[name]
	names := []string{k.Partition}
	if k.Sort != "" {
		names = append(names, k.Sort)
	}
	key := i.Key(names...)
	s := shape(w.prefix, name, key)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[s] = true
	if !hasTenant(key, i) {
		w.found[s] = true
	}
}
