package tenants

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/request"
)

// settingsView shows settings. Both types have the same fields in the same order, which a
// test checks; they differ in the names of the words.
func settingsView(s *access.Settings) client.Settings {
	var out client.Settings
	from, to := reflect.ValueOf(s).Elem(), reflect.ValueOf(&out).Elem()
	for i := range from.NumField() {
		to.Field(i).Set(from.Field(i).Convert(to.Field(i).Type()))
	}
	return out
}

// change is a patch of a tenant or an app.
type change struct {
	About    *string         `json:"about"`
	Settings access.Settings `json:"settings"`

	inherits []string // the settings that are null
}

// changeOf reads a JSON merge patch (RFC 7396).
func changeOf(body []byte) (change, error) {
	var c change
	if err := request.DecodeJSON(body, &c); err != nil {
		return c, err
	}
	var names struct {
		Settings map[string]json.RawMessage `json:"settings"`
	}
	if err := request.DecodeKnown(body, &names); err != nil {
		return c, err
	}
	for name, value := range names.Settings {
		if strings.TrimSpace(string(value)) == "null" {
			c.inherits = append(c.inherits, name)
		}
	}
	return c, nil
}

// apply puts the change on what is stored.
func (c *change) apply(about *string, s *access.Settings) {
	if c.About != nil {
		*about = *c.About
	}
	from, to := reflect.ValueOf(&c.Settings).Elem(), reflect.ValueOf(s).Elem()
	for i := range from.NumField() {
		if !from.Field(i).IsNil() {
			to.Field(i).Set(from.Field(i))
		}
		name, _, _ := strings.Cut(from.Type().Field(i).Tag.Get("json"), ",")
		for _, n := range c.inherits {
			if n == name {
				to.Field(i).SetZero()
			}
		}
	}
}
