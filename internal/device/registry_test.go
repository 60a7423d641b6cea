package device_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

var (
	errAway = errors.New("store is away")
	created = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
)

// stores is the registry in memory, with notes of what the room asked of it.
type stores struct {
	*devicetest.Memory

	puts  []int       // sizes
	last  push.Device // that was put
	asked int         // the last limit of Devices
	away  bool        // nothing can be put
}

func (s *stores) PutDevices(ctx context.Context, ds []push.Device) error {
	if s.away {
		return errAway
	}
	s.puts, s.last = append(s.puts, len(ds)), ds[len(ds)-1]
	return s.Memory.PutDevices(ctx, ds)
}

func (s *stores) Devices(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error) {
	s.asked = limit
	return s.Memory.Devices(ctx, tenant, userID, cursor, limit)
}

// count returns how many devices are stored.
func (s *stores) count() int { return len(s.AllDevices()) }

// stored returns a device as it is stored, the zero one if it is not.
func (s *stores) stored(id push.ID) push.Device {
	d, _ := s.Device(context.Background(), tenant, id)
	return d
}

// holders returns the addresses, by the devices that have them.
func (s *stores) holders() map[push.ID]push.Token {
	out := map[push.ID]push.Token{}
	for _, d := range s.AllDevices() {
		out[d.ID] = d.Address.Value
	}
	return out
}

func setup(ds ...push.Device) (*device.Registry, *stores) {
	s := &stores{Memory: &devicetest.Memory{}}
	s.SetDevice(ds...)
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
	r, s := setup(at("a", "old"))
	in := at("a", "new")
	in.Timezone, in.Locale, in.UserID = "europe/berlin", "sr__#Latn", "u"
	in.State, in.Source, in.LastFailure = push.DeviceQuarantined, push.SourceSend, push.CodeFCMInternal // not the caller's to say
	got, err := r.Put(t.Context(), tenant, in)
	want := at("a", "new")
	want.Locale, want.Timezone, want.UserID = "sr-Latn", "Europe/Berlin", "u"
	want.State, want.Source, want.UpdatedAt = push.DeviceActive, push.SourceAPI, created.AddDate(1, 0, 0)
	if d := cmp.Diff(device.Stored{Device: want}, got); d != "" || err != nil {
		t.Errorf("%v: %s", err, d)
	}
	want.CreatedAt = want.UpdatedAt
	if d := cmp.Diff(want, s.last); d != "" {
		t.Errorf("handed to the store: %s", d)
	}
	in.Timezone = "Local" // this machine's, which says nothing about a device
	if got, err = r.Put(t.Context(), tenant, in); err != nil || got.Device.Timezone != "" || len(got.Warnings) != 1 ||
		got.Warnings[0].Pointer != "/timezone" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPutFaults(t *testing.T) {
	t.Parallel()
	topic := at("a", "x")
	topic.Address.Kind = push.KindTopic
	for name, c := range map[string]struct {
		d       push.Device
		pointer string
	}{
		"no id":   {at("", "x"), "/id"},
		"a topic": {topic, ""}, "a token with a space": {at("a", "x y"), "/token"},
	} {
		r, s := setup()
		_, err := r.Put(t.Context(), tenant, c.d)
		if f, ok := errors.AsType[push.Faults](err); !ok || len(f) != 1 || f[0].Pointer != c.pointer || s.count() != 0 {
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
	gone := at("a", "x")
	gone.State, gone.QuarantinedAt = push.DeviceQuarantined, created
	r, s := setup(gone, at("b", "y"))
	if d, err := r.Restore(t.Context(), tenant, "a"); err != nil || d.State != push.DeviceActive {
		t.Errorf("restore: got %v", err)
	}
	for limit, want := range map[int]int{0: 100, 1: 1, 7: 7, 9999: 1000} {
		ds, next, err := r.List(t.Context(), tenant, "", "", limit)
		if err != nil || len(ds) != min(2, want) || (next != "") != (want == 1) || s.asked != want {
			t.Errorf("limit %d became %d: %d devices, %q, %v", limit, s.asked, len(ds), next, err)
		}
		if next == "" {
			continue
		}
		if ds, next, err = r.List(t.Context(), tenant, "", next, limit); err != nil || len(ds) != 1 || ds[0].ID != "b" || next != "" {
			t.Errorf("behind the cursor: %+v, %q, %v", ds, next, err)
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
	body := "\xef\xbb\xbf" + `{"token":"known","user_id":"u"}` + "\r\n\n" + `{"token":"fresh"}` + "\n" + `{"token":"x","timezone":330}` +
		"\n" +
		strings.Repeat("y", 1<<17) + "\n" + `{"id":"mine","fid":"f","nope":1,"also":2}` + "\n" + `{"id":"c","fid":"f"}`
	res, err := r.Import(t.Context(), tenant, strings.NewReader(body))
	if err != nil || res.Imported != 3 || res.Invalid != 3 {
		t.Fatalf("got %+v, %v", res, err)
	}
	var faults []string
	for _, f := range res.Faults {
		faults = append(faults, fmt.Sprintf("%d %s %s", f.Line, f.Pointer, f.Code))
	}
	if d := cmp.Diff([]string{"4 /timezone type", "5  too_large", "6 /also unknown"}, faults); d != "" {
		t.Error(d)
	}
	derived := push.SeenID(tenant, push.Address{Kind: push.KindToken, Value: "fresh"})
	want := map[push.ID]push.Token{"mine": "known", derived: "fresh", "c": "f"}
	if d := cmp.Diff(want, s.holders()); d != "" {
		t.Error(d)
	}
	if d := s.stored("mine"); d.Source != push.SourceImport || d.UserID != "u" || d.CreatedAt != created {
		t.Errorf("got %+v", d)
	}
}

// What is not understood of a line is left out, and counted.
func TestImportWarns(t *testing.T) {
	t.Parallel()
	r, s := setup()
	body := `{"id":"a","token":"a","locale":"en_US","timezone":"UTC+2"}` + "\n" + `{"id":"b","token":"b","locale":"C","timezone":"IST"}`
	res, err := r.Import(t.Context(), tenant, strings.NewReader(body))
	if err != nil || res.Imported != 2 || res.Invalid != 0 || res.Warned != 1 || len(res.Warnings) != 2 ||
		res.Warnings[0].Line != 2 || res.Warnings[0].Pointer != "/locale" || res.Warnings[1].Pointer != "/timezone" {
		t.Errorf("got %+v, %v", res, err)
	}
	if a, b := s.stored("a"), s.stored("b"); a.Locale != "en-US" || a.Timezone != "+02:00" || b.Locale != "" || b.Timezone != "" {
		t.Errorf("stored %+v and %+v", a, b)
	}
	res, err = r.Import(t.Context(), tenant, strings.NewReader(strings.Repeat(`{"token":"b","locale":"C","timezone":"IST"}`+"\n", 70)))
	if err != nil || res.Warned != 70 || len(res.Warnings) != 100 {
		t.Errorf("got %d, %d warnings, %v", res.Warned, len(res.Warnings), err)
	}
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
		if err != nil || res.Imported != 2500 || s.count() != 2500 {
			t.Errorf("got %+v, %v, %d devices", res, err, s.count())
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
	if res, err := r.Import(ctx, tenant, strings.NewReader(many)); !errors.Is(err, context.Canceled) || res.Imported != 1000 ||
		s.count() != 1 {
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
		if err != nil || int64(s.count()) > res.Imported || int64(len(res.Faults)) != min(100, res.Invalid) {
			t.Fatalf("got %+v, %v, %d devices", res, err, s.count())
		}
	})
}
