package device_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

var (
	errAway = errors.New("store is away")
	created = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
)

// shelf keeps one tenant's devices in memory, by the contract of device.Store.
type shelf struct {
	device.Store // what the room does not use panics

	byID  map[push.ID]push.Device
	held  map[push.Address]push.ID
	puts  []int // sizes
	asked int   // the last limit of Devices
	away  bool
}

func (s *shelf) PutDevices(_ context.Context, ds []push.Device) error {
	if s.away {
		return errAway
	}
	s.puts = append(s.puts, len(ds))
	for _, d := range ds {
		if old, ok := s.byID[d.ID]; ok {
			d.CreatedAt = old.CreatedAt
			delete(s.held, old.Address)
		}
		delete(s.byID, s.held[d.Address])
		s.byID[d.ID], s.held[d.Address] = d, d.ID
	}
	return nil
}

func (s *shelf) Device(_ context.Context, _ string, id push.ID) (push.Device, error) {
	d, ok := s.byID[id]
	if !ok {
		return d, push.ErrNotFound
	}
	return d, nil
}

func (s *shelf) DevicesByAddress(_ context.Context, _ string, as []push.Address) (map[push.Address]push.Device, error) {
	out := map[push.Address]push.Device{}
	for _, a := range as {
		if id, ok := s.held[a]; ok {
			out[a] = s.byID[id]
		}
	}
	return out, nil
}

func (s *shelf) DeleteDevice(ctx context.Context, _ string, id push.ID) error {
	_, err := s.Device(ctx, "", id)
	delete(s.byID, id)
	return err
}

func (s *shelf) RestoreDevice(ctx context.Context, _ string, id push.ID) (push.Device, error) {
	d, err := s.Device(ctx, "", id)
	d.State = push.DeviceActive
	return d, err
}

func (s *shelf) Devices(_ context.Context, _, _, cursor string, limit int) ([]push.Device, string, error) {
	s.asked = limit
	if cursor != "" {
		return nil, "", push.ErrCursor
	}
	return slices.Collect(maps.Values(s.byID)), "next", nil
}

func setup(ds ...push.Device) (*device.Registry, *shelf) {
	s := &shelf{byID: map[push.ID]push.Device{}, held: map[push.Address]push.ID{}}
	for _, d := range ds {
		s.byID[d.ID], s.held[d.Address] = d, d.ID
	}
	return device.New(device.Config{
		Writer: s, Finder: s, Log: zap.NewNop(), Metrics: device.NewMetrics(prometheus.NewRegistry()),
		Now: func() time.Time { return created.AddDate(1, 0, 0) },
	}), s
}

func at(id push.ID, token push.Token) push.Device {
	return push.Device{Tenant: tenant, ID: id, Address: push.Address{Kind: push.KindToken, Value: token}, CreatedAt: created}
}

func TestPut(t *testing.T) {
	t.Parallel()
	r, _ := setup(at("a", "old"))
	in := at("a", "new")
	in.Timezone, in.UserID = "Europe/Berlin", "u"
	in.State, in.Source, in.LastFailure = push.DeviceQuarantined, push.SourceSend, push.CodeFCMInternal // not the caller's to say
	got, err := r.Put(t.Context(), tenant, in)
	want := at("a", "new")
	want.Timezone, want.UserID, want.State, want.Source, want.UpdatedAt = "Europe/Berlin", "u", push.DeviceActive, push.SourceAPI, created.AddDate(1, 0, 0)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v: %s", err, d)
	}
}

func TestPutFaults(t *testing.T) {
	t.Parallel()
	zone := at("a", "x")
	zone.Timezone = "Europe/Atlantis"
	local := at("a", "x")
	local.Timezone = "Local"
	topic := at("a", "x")
	topic.Address.Kind = push.KindTopic
	for name, c := range map[string]struct {
		d       push.Device
		pointer string
	}{
		"a zone that is none": {zone, "/timezone"}, "this machine's zone": {local, "/timezone"}, "no id": {at("", "x"), "/id"},
		"a topic": {topic, ""}, "a token with a space": {at("a", "x y"), "/token"},
	} {
		r, s := setup()
		_, err := r.Put(t.Context(), tenant, c.d)
		if f, ok := errors.AsType[push.Faults](err); !ok || len(f) != 1 || f[0].Pointer != c.pointer || len(s.byID) != 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r, s := setup()
	s.away = true
	if _, err := r.Put(t.Context(), tenant, at("a", "x")); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	r, s := setup(at("a", "x"))
	if d, err := r.Restore(t.Context(), tenant, "a"); err != nil || d.State != push.DeviceActive {
		t.Errorf("restore: got %v", err)
	}
	for limit, want := range map[int]int{0: 100, 7: 7, 9999: 1000} {
		if ds, next, err := r.List(t.Context(), tenant, "", "", limit); err != nil || len(ds) != 1 || next != "next" || s.asked != want {
			t.Errorf("limit %d became %d: %v", limit, s.asked, err)
		}
	}
	if _, _, err := r.List(t.Context(), tenant, "", "bad", 1); !errors.Is(err, push.ErrCursor) {
		t.Errorf("list: got %v", err)
	}
	if err := r.Delete(t.Context(), tenant, "a"); err != nil {
		t.Errorf("delete: got %v", err)
	}
	_, get := r.Get(t.Context(), tenant, "a")
	_, restore := r.Restore(t.Context(), tenant, "a")
	for _, err := range []error{get, restore, r.Delete(t.Context(), tenant, "a")} {
		if !errors.Is(err, push.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	r, s := setup(at("mine", "known"))
	body := "\xef\xbb\xbf" + `{"token":"known","user_id":"u"}` + "\r\n\n" + `{"token":"fresh"}` + "\n" + `{"token":"x","timezone":"Nowhere"}` + "\n" +
		strings.Repeat("y", 1<<17) + "\n" + `{"id":"mine","fid":"f","nope":1,"also":2}` + "\n" + `{"id":"c","fid":"f"}`
	res, err := r.Import(t.Context(), tenant, strings.NewReader(body))
	if err != nil || res.Imported != 3 || res.Invalid != 3 {
		t.Fatalf("got %+v, %v", res, err)
	}
	var faults []string
	for _, f := range res.Faults {
		faults = append(faults, fmt.Sprintf("%d %s %s", f.Line, f.Pointer, f.Code))
	}
	if d := cmp.Diff([]string{"4 /timezone value", "5  too_large", "6 /also unknown"}, faults); d != "" {
		t.Error(d)
	}
	derived := push.DerivedID(push.PrefixDevice, tenant, "token:fresh")
	want := map[push.ID]push.Token{"mine": "known", derived: "fresh", "c": "f"}
	if d := cmp.Diff(want, s.holders()); d != "" {
		t.Error(d)
	}
	if d := s.byID["mine"]; d.Source != push.SourceImport || d.UserID != "u" || d.CreatedAt != created {
		t.Errorf("got %+v", d)
	}
}

func (s *shelf) holders() map[push.ID]push.Token {
	out := map[push.ID]push.Token{}
	for id, d := range s.byID {
		out[id] = d.Address.Value
	}
	return out
}

func TestImportBatches(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&body, "{\"token\":\"t%d\"}\n", i)
	}
	r, s := setup()
	for range 2 {
		res, err := r.Import(t.Context(), tenant, strings.NewReader(body.String()))
		if err != nil || res.Imported != 2500 || len(s.byID) != 2500 {
			t.Errorf("got %+v, %v, %d devices", res, err, len(s.byID))
		}
	}
	if d := cmp.Diff([]int{1000, 1000, 500, 1000, 1000, 500}, s.puts); d != "" {
		t.Error(d)
	}
	s.away = true
	if res, err := r.Import(t.Context(), tenant, strings.NewReader(body.String())); !errors.Is(err, errAway) || res.Imported != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestImportBreaksOff(t *testing.T) {
	t.Parallel()
	r, s := setup()
	res, err := r.Import(t.Context(), tenant, iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(`{"token":"a"}`))))
	if !errors.Is(err, iotest.ErrTimeout) || res.Imported != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	many := strings.Repeat(`{"token":"a"}`+"\n", 3000)
	if res, err := r.Import(ctx, tenant, strings.NewReader(many)); !errors.Is(err, context.Canceled) || res.Imported != 1000 || len(s.byID) != 1 {
		t.Errorf("of a caller who hung up: got %+v, %v", res, err)
	}
}

// An import leaves what registering its lines one by one would have left.
func TestImportIsInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		stored := []push.Device{at("a", "1"), at("b", "2")}
		whole, all := setup(stored...)
		single, one := setup(stored...)
		var body strings.Builder
		for range rapid.IntRange(0, 12).Draw(t, "lines") {
			line := fmt.Sprintf(`{"token":"%d"}`, rapid.IntRange(1, 3).Draw(t, "token"))
			if id := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "id"); id != "" {
				line = fmt.Sprintf(`{"id":%q,%s`, id, line[1:])
			}
			body.WriteString(line + "\n")
			if _, err := single.Import(t.Context(), tenant, strings.NewReader(line)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := whole.Import(t.Context(), tenant, strings.NewReader(body.String())); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(one.holders(), all.holders()); d != "" {
			t.Errorf("after\n%s%s", body.String(), d)
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("{\"token\":\"a\"}\n\n{\"fid\":\"b\",\"timezone\":\"UTC\"}\nnope"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, s := setup()
		res, err := r.Import(t.Context(), tenant, strings.NewReader(string(body)))
		if err != nil || int64(len(s.byID)) > res.Imported || int64(len(res.Faults)) != min(100, res.Invalid) {
			t.Fatalf("got %+v, %v, %d devices", res, err, len(s.byID))
		}
	})
}
