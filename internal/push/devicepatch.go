package push

import (
	"maps"
	"time"
)

// DevicePatch changes a part of a registration. What is nil stays as it is, and a
// pointer to nothing ("") removes what there is.
type DevicePatch struct {
	Address    *Address // never empty: a device has one
	Platform   *Platform
	UserID     *string
	Locale     *string
	Timezone   *string
	AppVersion *string
	// Attributes are set by name, and removed by name with nil. With AllAttributes,
	// those that are not named are removed too.
	Attributes    map[string]*string
	AllAttributes bool
	State         *DeviceState
}

// Apply changes d, which shares its attributes with nobody afterwards. A device that
// is given another address, or made active, is no longer quarantined.
func (p *DevicePatch) Apply(d *Device, now time.Time) {
	if p.Address != nil && *p.Address != d.Address {
		d.Address, d.State, d.QuarantinedAt = *p.Address, DeviceActive, time.Time{}
	}
	replace(&d.Platform, p.Platform)
	replace(&d.UserID, p.UserID)
	replace(&d.Locale, p.Locale)
	replace(&d.Timezone, p.Timezone)
	replace(&d.AppVersion, p.AppVersion)
	p.applyAttributes(d)
	if p.State == nil || *p.State == d.State {
		return
	}
	if d.State, d.QuarantinedAt = *p.State, (time.Time{}); d.State == DeviceQuarantined {
		d.QuarantinedAt = now
	}
}

func (p *DevicePatch) applyAttributes(d *Device) {
	if len(p.Attributes) == 0 && !p.AllAttributes {
		return
	}
	all := map[string]string{}
	if !p.AllAttributes {
		maps.Copy(all, d.Attributes)
	}
	for name, value := range p.Attributes {
		if value == nil {
			delete(all, name)
		} else {
			all[name] = *value
		}
	}
	if d.Attributes = all; len(all) == 0 {
		d.Attributes = nil
	}
}

func replace[T any](old, given *T) {
	if given != nil {
		*old = *given
	}
}
