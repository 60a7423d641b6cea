package access

import (
	"reflect"
	"slices"
	"strings"
)

// Entitlements are the settings that only the platform's operator may change: what a tenant
// is sold, and what protects the others from it. A tenant must not raise its own quota.
func Entitlements() []string {
	return []string{
		"keep_days", "weight", "requests_per_second", "notifications_per_minute", "recipients_per_day", "queued_recipients", "over_quota",
		"key_requests_per_second",
	}
}

// EntitlementsChanged returns the names of the entitlements that differ between two settings.
func EntitlementsChanged(before, after *Settings) []string {
	var names []string
	a, b := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains(Entitlements(), name) && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}
