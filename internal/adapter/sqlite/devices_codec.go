package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
)

// deviceFormat is the first byte of a device's body.
const deviceFormat = 1

var errDevice = errors.New("stored device is damaged")

// encodeDevice encodes what is not in a column of its own: the format's number,
// then texts with their length in front, times in microseconds and the
// attributes with their number in front. One value instead of a dozen columns
// makes both a lookup and an import more than twice as fast.
func encodeDevice(d *push.Device) []byte {
	const usual = 256 // a token of 163 characters and the rest
	dst := append(make([]byte, 0, usual), deviceFormat)
	for _, text := range []string{
		string(d.Address.Kind), d.Address.Value.Reveal(), string(d.Platform), d.Locale, d.Timezone, d.AppVersion, string(d.Source),
	} {
		dst = appendText(dst, text)
	}
	dst = binary.AppendUvarint(dst, uint64(d.LastFailure))
	for _, t := range []int64{micros(d.LastSuccessAt), micros(d.LastFailureAt), micros(d.CreatedAt), micros(d.UpdatedAt)} {
		dst = binary.AppendVarint(dst, t)
	}
	dst = binary.AppendUvarint(dst, unsigned(len(d.Attributes)))
	if len(d.Attributes) == 0 {
		return dst
	}
	for _, key := range slices.Sorted(maps.Keys(d.Attributes)) {
		dst = appendText(appendText(dst, key), d.Attributes[key])
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, unsigned(len(s))), s...)
}

func checkFormat(b []byte) error {
	if len(b) == 0 {
		return errDevice
	}
	if b[0] != deviceFormat {
		return fmt.Errorf("device in format %d: %w", b[0], push.ErrNewerSchema)
	}
	return nil
}

// decodeDevice fills in what encodeDevice wrote.
func decodeDevice(d *push.Device, b []byte) error {
	if err := checkFormat(b); err != nil {
		return err
	}
	r := varints{b: b[1:]}
	d.Address = push.Address{Kind: push.Kind(r.text()), Value: push.Token(r.text())}
	d.Platform = push.Platform(r.text())
	d.Locale, d.Timezone, d.AppVersion = r.text(), r.text(), r.text()
	d.Source = push.DeviceSource(r.text())
	d.LastFailure = r.code()
	d.LastSuccessAt, d.LastFailureAt = fromMicros(r.signed()), fromMicros(r.signed())
	d.CreatedAt, d.UpdatedAt = fromMicros(r.signed()), fromMicros(r.signed())
	if n := r.count(); n > 0 && n <= len(r.b) { // an attribute has two bytes at least
		d.Attributes = make(map[string]string, n)
		for range n {
			key := r.text()
			d.Attributes[key] = r.text()
		}
	} else if n > 0 {
		r.bad = true
	}
	if r.bad || len(r.b) > 0 {
		return errDevice
	}
	return nil
}
