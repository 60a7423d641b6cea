package pause

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func anybody(*Pause) error { return nil }

func add(t *testing.T, p *Pauses, asked Pause) Pause {
	t.Helper()
	got, made, err := p.Add(t.Context(), asked)
	if err != nil || !made {
		t.Fatalf("%+v: %v, %v", asked, made, err)
	}
	return got
}

// of is a notification of an app of a tenant, with labels as name, value.
func of(tenant, app string, labels ...string) *push.Notification {
	n := &push.Notification{Tenant: tenant, App: app, Labels: map[string]string{}}
	for i := 0; i+1 < len(labels); i += 2 {
		n.Labels[labels[i]] = labels[i+1]
	}
	return n
}

// what is the pause that stops a notification on a lane, "" if none does.
func (p *Pauses) what(lane push.Lane, n *push.Notification) string {
	if one := p.Of(lane, n); one != nil {
		return one.What()
	}
	return ""
}

// Each scope stops what it says and nothing else, and the widest is told.
func TestScopes(t *testing.T) {
	t.Parallel()
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	app := add(t, p, Pause{Tenant: "acme", App: "shop", By: "ops", Reason: "leaked key"})
	add(t, p, Pause{Tenant: "other", App: "default", By: "ops"})
	for _, c := range []struct {
		tenant, app string
		want        string
	}{
		{"acme", "shop", "app acme/shop"},
		{"acme", "", ""},
		{"acme", "blog", ""},
		{"other", "", "app other/default"}, // the default app has two spellings
		{"other", "shop", ""},
	} {
		if got := p.what(push.LaneBulk, of(c.tenant, c.app)); got != c.want {
			t.Errorf("%s/%s: %q, want %q", c.tenant, c.app, got, c.want)
		}
	}
	if text := app.Text(); !strings.HasPrefix(text, "app acme/shop is paused since 2") || !strings.HasSuffix(text, " UTC by ops: leaked key") {
		t.Error(text)
	}
	all := add(t, p, Pause{By: "ops"})
	if got := p.Of(push.LaneHigh, of("acme", "shop")); got == nil || got.ID != all.ID {
		t.Errorf("the widest is %+v", got)
	}
	if _, all, _ := p.Paused(push.LaneHigh, of("anybody", "")); !all {
		t.Error("everything is not paused")
	}
	if err := p.Remove(t.Context(), all.ID, anybody); err != nil {
		t.Fatal(err)
	}
	if got := p.Of(push.LaneHigh, of("acme", "shop")); got == nil || got.ID != app.ID {
		t.Errorf("with everything lifted: %+v", got)
	}
}

// Lanes and labels stop their part of a tenant, an app or everything, and nothing beside it.
func TestParts(t *testing.T) {
	t.Parallel()
	spring := of("acme", "shop", "campaign", "spring", "team", "orders")
	for _, c := range []struct {
		pause Pause
		what  string
		stops []*push.Notification // on the bulk lane
		not   []*push.Notification
		high  bool // and on the high lane
		all   bool // of the lane
	}{
		{
			Pause{Lane: push.LaneBulk},
			"lane bulk",
			[]*push.Notification{spring, of("zoo", "")},
			nil, false, true,
		},
		{Pause{Lane: push.LaneReplay}, "lane replay", nil, []*push.Notification{spring}, false, false},
		{
			Pause{Tenant: "acme", Lane: push.LaneBulk},
			"lane bulk of tenant acme",
			[]*push.Notification{spring, of("acme", "")},
			[]*push.Notification{of("zoo", "")},
			false, false,
		},
		{
			Pause{Tenant: "acme", App: "shop", Lane: push.LaneBulk},
			"lane bulk of app acme/shop",
			[]*push.Notification{spring},
			[]*push.Notification{of("acme", ""), of("zoo", "shop")},
			false, false,
		},
		{
			Pause{Tenant: "acme", Label: "campaign=spring"},
			"label campaign=spring of tenant acme",
			[]*push.Notification{spring, of("acme", "", "campaign", "spring")},
			[]*push.Notification{
				of("acme", ""), of("acme", "", "campaign", "spring-2"), of("zoo", "", "campaign", "spring"), of("acme", "", "x", "spring"),
			},
			true, false,
		},
		{
			Pause{Tenant: "acme", Label: "campaign"},
			"label campaign of tenant acme",
			[]*push.Notification{spring, of("acme", "", "campaign", "")},
			[]*push.Notification{of("acme", "", "Campaign", "spring")},
			true, false,
		},
		{
			Pause{Tenant: "acme", App: "default", Label: "campaign=spring"},
			"label campaign=spring of app acme/default",
			[]*push.Notification{of("acme", "", "campaign", "spring")},
			[]*push.Notification{spring},
			true, false,
		},
	} {
		p := New(&documenttest.Memory{}, nil, zap.NewNop())
		c.pause.By = "ops"
		one := add(t, p, c.pause)
		if again, made, err := p.Add(t.Context(), c.pause); err != nil || made || again != one {
			t.Errorf("%s: again %+v, %v, %v", c.what, again, made, err)
		}
		for _, n := range c.stops {
			if got := p.what(push.LaneBulk, n); got != c.what {
				t.Errorf("%s: %+v is stopped by %q", c.what, n, got)
			}
			if got := p.what(push.LaneHigh, n); (got != "") != c.high {
				t.Errorf("%s: on the high lane, %+v is stopped by %q", c.what, n, got)
			}
			if _, all, _ := p.Paused(push.LaneBulk, n); all != c.all {
				t.Errorf("%s: all is %v", c.what, all)
			}
		}
		for _, n := range c.not {
			if got := p.what(push.LaneBulk, n); got != "" {
				t.Errorf("%s: %+v is stopped by %q", c.what, n, got)
			}
		}
	}
}

// Whatever is paused and lifted, a notification is stopped if and only if a pause that stands says so in each of its words,
// and what is told is one that does.
func TestOfAgreesWithTheWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, stands := New(&documenttest.Memory{}, nil, zap.NewNop()), map[push.ID]Pause{}
		one := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "one of") }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				asked := Pause{Tenant: one("", "acme", "zoo"), Lane: push.Lane(one("", "", "high", "bulk")), Operator: rapid.Bool().Draw(t, "operator")}
				if asked.Tenant != "" {
					asked.App = one("", "", "default", "shop")
					if asked.Lane == "" {
						asked.Label = one("", "c", "c=", "c=1", "d=1")
					}
				}
				got, _, err := p.Add(context.Background(), asked)
				if err != nil {
					t.Fatal(err)
				}
				stands[got.ID] = got
			},
			"lift": func(t *rapid.T) {
				for id := range stands {
					if err := p.Remove(context.Background(), id, anybody); err != nil {
						t.Fatal(err)
					}
					delete(stands, id)
					return
				}
			},
			"": func(t *rapid.T) {
				n, lane := of(one("acme", "zoo"), one("", "default", "shop")), push.Lane(one("high", "bulk", "replay"))
				for _, name := range []string{"c", "d"} {
					if v := one("absent", "", "1", "2"); v != "absent" {
						n.Labels[name] = v
					}
				}
				words := strings.Fields(fmt.Sprintf("everything. tenant.%s app.%s/%s lane.%s", n.Tenant, n.Tenant, n.AppName(), lane))
				for name, v := range n.Labels {
					words = append(words, "label."+name, "label."+name+"="+v)
				}
				says := func(o *Pause) bool { // lane bulk of tenant acme: lane.bulk and tenant.acme
					for part := range strings.SplitSeq(o.What(), " of ") {
						kind, which, _ := strings.Cut(part, " ")
						if !slices.Contains(words, kind+"."+which) {
							return false
						}
					}
					return true
				}
				want := slices.ContainsFunc(slices.Collect(maps.Values(stands)), func(o Pause) bool { return says(&o) })
				got := p.Of(lane, n)
				if (got != nil) != want || got != nil && !says(got) {
					t.Fatalf("%+v on %s is stopped by %+v, of %+v", n, lane, got, stands)
				}
				wider := func(o Pause) bool { return o.Tenant == "" && says(&o) }
				if got != nil && got.Tenant != "" && slices.ContainsFunc(slices.Collect(maps.Values(stands)), wider) {
					t.Fatalf("%+v is told, and a wider one stands: %+v", got, stands)
				}
			},
		})
	})
}

// Neither a tenant that pauses every label it can think of, nor all tenants together, keep others from pausing something, and
// the operator from pausing everything.
func TestTooManyPauses(t *testing.T) {
	t.Parallel()
	p, docs := New(&documenttest.Memory{}, nil, zap.NewNop()), 0
	fill := func(tenant string, label func(i int) string) (n int) {
		for i := range 2 * maxPauses {
			_, _, err := p.Add(t.Context(), Pause{Tenant: tenant, Label: label(i), By: "key"})
			if faults, ok := errors.AsType[push.Faults](err); ok && faults[0].Code == push.FaultTooLarge {
				return n
			} else if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	long := strings.Repeat("<", 120) // six bytes each in JSON
	for ; docs < 20; docs++ {
		n := fill(fmt.Sprintf("t-%d", docs), func(i int) string { return fmt.Sprintf("%s%d=%s", long, i, long) })
		if n == 0 {
			break
		}
		if n > maxOwn {
			t.Fatalf("a tenant has %d", n)
		}
	}
	if all, err := p.All(t.Context()); err != nil || docs == 20 || len(all) < maxOwn {
		t.Fatalf("%d pauses of %d tenants (%v)", len(all), docs, err)
	}
	if _, made, err := p.Add(t.Context(), Pause{By: "ops", Operator: true}); err != nil || !made {
		t.Errorf("the operator cannot pause everything: %v", err)
	}
	p = New(&documenttest.Memory{}, nil, zap.NewNop())
	if n := fill("acme", func(i int) string { return fmt.Sprint("campaign=", i) }); n != maxOwn {
		t.Errorf("a tenant may have %d", n)
	}
	add(t, p, Pause{Tenant: "zoo", Label: "campaign=1", By: "other"})
	add(t, p, Pause{Tenant: "acme", Label: "campaign=1000", By: "ops", Operator: true})
}

// A scope that is paused already stays as it is; the operator's pause of a tenant is another than the tenant's own.
func TestAddTwice(t *testing.T) {
	t.Parallel()
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	own := add(t, p, Pause{Tenant: "acme", By: "key"})
	again, made, err := p.Add(t.Context(), Pause{Tenant: "acme", By: "other", Reason: "too"})
	if err != nil || made || again != own {
		t.Errorf("%+v, %v, %v", again, made, err)
	}
	operators := add(t, p, Pause{Tenant: "acme", By: "ops", Operator: true})
	forbidden := errors.New("no")
	if err := p.Remove(t.Context(), operators.ID, func(*Pause) error { return forbidden }); !errors.Is(err, forbidden) {
		t.Error(err)
	}
	if err := p.Remove(t.Context(), own.ID, anybody); err != nil {
		t.Error(err)
	}
	if err := p.Remove(t.Context(), own.ID, anybody); !errors.Is(err, push.ErrNotFound) {
		t.Error(err)
	}
	if all, err := p.All(t.Context()); err != nil || len(all) != 1 || p.Of(push.LaneHigh, of("acme", "")) == nil {
		t.Errorf("%v, %v", all, err)
	}
}

// The metrics have both owners from the start, and the age of the oldest pause of each.
func TestMetrics(t *testing.T) {
	t.Parallel()
	now, reg := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), prometheus.NewRegistry()
	p := New(&documenttest.Memory{}, func() time.Time { return now }, zap.NewNop())
	p.Show(reg)
	holds := func(operators, operatorsAge, tenants, tenantsAge int) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range families {
			for _, m := range f.GetMetric() {
				got = append(got, fmt.Sprintf("%s %s %v", f.GetName(), m.GetLabel()[0].GetValue(), m.GetGauge().GetValue()))
			}
		}
		want := fmt.Sprintf("belfry_pause_oldest_age_seconds operator %d, belfry_pause_oldest_age_seconds tenant %d, "+
			"belfry_pauses operator %d, belfry_pauses tenant %d", operatorsAge, tenantsAge, operators, tenants)
		if all := strings.Join(got, ", "); all != want {
			t.Errorf("%s\nwant %s", all, want)
		}
	}
	holds(0, 0, 0, 0)
	first := add(t, p, Pause{By: "ops", Operator: true})
	now = now.Add(time.Hour)
	add(t, p, Pause{Tenant: "acme", By: "ops", Operator: true})
	add(t, p, Pause{Tenant: "acme", By: "key"})
	now = now.Add(time.Minute)
	holds(2, 3660, 1, 60)
	if err := p.Remove(t.Context(), first.ID, anybody); err != nil {
		t.Fatal(err)
	}
	holds(1, 60, 1, 60)
}

func TestBadPauses(t *testing.T) {
	t.Parallel()
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	for pointer, asked := range map[string]Pause{
		"/tenant": {Tenant: "../etc"}, "/app": {Tenant: "a", App: "UPPER"}, "/reason": {Reason: strings.Repeat("x", 201)},
		"/lane": {Lane: "fast"}, "/label": {Tenant: "a", Label: "=spring"},
	} {
		_, _, err := p.Add(t.Context(), asked)
		faults, ok := errors.AsType[push.Faults](err)
		if !ok || faults[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	for what, asked := range map[string]Pause{
		"an app of nobody": {App: "shop"}, "a label of nobody": {Label: "campaign=spring"},
		"a label and a lane": {Tenant: "a", Label: "campaign", Lane: push.LaneBulk},
		"a long label":       {Tenant: "a", Label: "campaign=" + strings.Repeat("x", 129)},
		"a label with NUL":   {Tenant: "a", Label: "a\x00"}, "a label that is no text": {Tenant: "a", Label: "a=\xff"},
	} {
		if _, _, err := p.Add(t.Context(), asked); err == nil {
			t.Error(what)
		}
	}
}

// A pause of one process is known to another within half a second, and its end too; while the store is away, what was
// paused stays so.
func TestOtherProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		errDown := errors.New("down")
		docs := documenttest.Around{Store: &documenttest.Memory{}, Do: func(_ string, effect func() error) error {
			if down.Load() {
				return errDown
			}
			return effect()
		}}
		here, there := New(docs, nil, zap.NewNop()), New(docs, nil, zap.NewNop())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { there.Run(ctx); close(ended) }()
		time.Sleep(time.Second + 7*time.Millisecond)
		_, _, changed := there.Paused(push.LaneHigh, of("acme", ""))
		one := add(t, here, Pause{Tenant: "acme", By: "ops"})
		time.Sleep(500 * time.Millisecond)
		if there.Of(push.LaneHigh, of("acme", "")) == nil {
			t.Error("not known after half a second")
		}
		select {
		case <-changed:
		default:
			t.Error("whoever waits is not told")
		}
		down.Store(true)
		time.Sleep(time.Hour)
		if there.Of(push.LaneHigh, of("acme", "")) == nil {
			t.Error("forgotten while the store was away")
		}
		down.Store(false)
		if err := here.Remove(t.Context(), one.ID, anybody); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if there.Of(push.LaneHigh, of("acme", "")) != nil {
			t.Error("not lifted after half a second")
		}
		stop()
		<-ended
	})
}

// What it costs each request to FCM: nothing is paused, another tenant is, and as many of the tenant's labels as may be.
func BenchmarkOf(b *testing.B) {
	n := of("acme", "shop", "campaign", "spring", "team", "orders", "region", "eu")
	for _, c := range []struct {
		name   string
		tenant string
		labels int
	}{{"none", "", 0}, {"others", "zoo", 100}, {"labels1", "acme", 1}, {"labels200", "acme", 2 * maxOwn}} {
		b.Run(c.name, func(b *testing.B) {
			p := New(&documenttest.Memory{}, nil, zap.NewNop())
			err := p.shared.Change(b.Context(), func(s *stored) error {
				for i := range c.labels {
					s.Pauses = append(s.Pauses, Pause{Tenant: c.tenant, Label: fmt.Sprintf("campaign=autumn-%d", i)})
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if p.Of(push.LaneBulk, n) != nil {
					b.Fatal("paused")
				}
			}
		})
	}
}
