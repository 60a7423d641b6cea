package devices

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

func anyCode() *rapid.Generator[push.Code] {
	return rapid.Map(rapid.SampledFrom(push.Codes()), func(f push.Facts) push.Code { return f.Code })
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.OneOf(rapid.Just(time.Time{}),
		rapid.Map(rapid.Int64Range(1, 1<<52), func(us int64) time.Time { return time.UnixMicro(us).UTC() }))
}

// body are the fields of a device that are not columns.
func anyBody() *rapid.Generator[push.Device] {
	return rapid.Custom(func(t *rapid.T) push.Device {
		text := rapid.String()
		return push.Device{
			Address:  push.Address{Kind: push.Kind(text.Draw(t, "kind")), Value: push.Token(text.Draw(t, "value"))},
			Platform: push.Platform(text.Draw(t, "platform")), Locale: text.Draw(t, "locale"), Timezone: text.Draw(t, "timezone"),
			AppVersion: text.Draw(t, "version"), Source: push.DeviceSource(text.Draw(t, "source")), LastFailure: anyCode().Draw(t, "code"),
			LastSuccessAt: anyTime().Draw(t, "success"), LastFailureAt: anyTime().Draw(t, "failure"),
			CreatedAt: anyTime().Draw(t, "created"), UpdatedAt: anyTime().Draw(t, "updated"),
			Attributes: rapid.MapOfN(text, text, 0, 4).Draw(t, "attributes"),
		}
	})
}

func TestDeviceBodyComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := anyBody().Draw(t, "device")
		var got push.Device
		err := decodeDevice(&got, encodeDevice(&want))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("device (-want +got):\n%s%v", diff, err)
		}
	})
}

func TestNewerFormatsAreNotMisread(t *testing.T) {
	t.Parallel()
	if err := decodeDevice(&push.Device{}, []byte{deviceFormat + 1, 0}); !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("device: %v", err)
	}
}

// FuzzDecodeDevice: damaged storage is an error, never a panic or a flood.
func FuzzDecodeDevice(f *testing.F) {
	d := benchDevice(1)
	f.Add(encodeDevice(&d))
	d.Attributes = map[string]string{"k": "v", "ü": ""}
	f.Add(encodeDevice(&d))
	f.Add([]byte{deviceFormat})
	f.Add([]byte{deviceFormat, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x07})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, again push.Device
		if decodeDevice(&got, b) != nil {
			return
		}
		if err := decodeDevice(&again, encodeDevice(&got)); err != nil || !cmp.Equal(got, again, cmpopts.EquateEmpty()) {
			t.Fatalf("read as %+v, then as %+v, %v", got, again, err)
		}
	})
}
