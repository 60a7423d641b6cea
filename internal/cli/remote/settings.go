package remote

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/strict"
)

// inherited is the value that takes a setting back.
const inherited = "inherit"

const settingsHelp = `A setting is NAME=VALUE, and NAME=inherit takes it back; belfry config effective lists them all with what holds and
where it comes from. Quotas, weight, keep_days and over_quota are the platform operator's to change.`

// assignments are settings as arguments: NAME=VALUE.
type assignments []string

// values returns the settings by name; nil is one that is inherited again.
func (a assignments) values() (map[string]any, error) {
	out := map[string]any{}
	for _, text := range a {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, display.Usagef("%s: must be NAME=VALUE, such as ttl=1h", text)
		}
		if _, twice := out[name]; twice {
			return nil, display.Usagef("%s: is given twice", name)
		}
		v, err := settingValue(name, value)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// settingValue reads the value of a setting as its type asks for.
func settingValue(name, value string) (any, error) {
	names := jsonNames(reflect.TypeFor[client.Settings]())
	for f := range reflect.TypeFor[client.Settings]().Fields() {
		if known, _, _ := strings.Cut(f.Tag.Get("json"), ","); known != name {
			continue
		}
		if value == inherited {
			return nil, nil //nolint:nilnil // null is the value
		}
		switch f.Type.Elem().Kind() { //nolint:exhaustive // settings have no other
		case reflect.Int64:
			if d, err := time.ParseDuration(value); err == nil && name == "ttl" && d%time.Second == 0 {
				return int64(d / time.Second), nil
			}
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, display.Usagef("%s: must be a whole number (got %q)", name, value)
			}
			return n, nil
		case reflect.Bool:
			if value != "true" && value != "false" {
				return nil, display.Usagef("%s: must be true or false (got %q)", name, value)
			}
			return value == "true", nil
		default:
			return value, nil
		}
	}
	return nil, display.Usagef("there is no setting %q%s", name, strict.DidYouMean(name, names))
}

// settings returns the settings for something new.
func (a assignments) settings() (client.Settings, error) {
	var s client.Settings
	values, err := a.values()
	if err != nil {
		return s, err
	}
	put(&s, values)
	return s, nil
}

// put sets settings by name; nil takes one back.
func put(s *client.Settings, values map[string]any) {
	into := reflect.ValueOf(s).Elem()
	for i := range into.NumField() {
		name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		value, given := values[name]
		switch {
		case !given:
		case value == nil:
			into.Field(i).SetZero()
		default:
			p := reflect.New(into.Field(i).Type().Elem())
			p.Elem().Set(reflect.ValueOf(value).Convert(p.Type().Elem()))
			into.Field(i).Set(p)
		}
	}
}

// revision is what a command changes of a tenant or an app.
type revision struct {
	Setting assignments `arg:"" optional:"" help:"NAME=VALUE."`
	About   *string     `placeholder:"TEXT" help:"For people."`
}

// values returns the settings by name, and a usage error if there is nothing to change.
func (r *revision) values() (map[string]any, error) {
	values, err := r.Setting.values()
	if err == nil && len(values) == 0 && r.About == nil {
		err = display.Usagef("nothing to change: give NAME=VALUE, or --about TEXT")
	}
	return values, err
}

// settingRows adds what is set to a list.
func settingRows(list *display.List, s *client.Settings) {
	eachSetting(s, func(name, value string) { list.Row(name, value) })
}

// eachSetting calls f for every setting that is set, in their order.
func eachSetting(s *client.Settings, f func(name, value string)) {
	from := reflect.ValueOf(s).Elem()
	for i := range from.NumField() {
		if from.Field(i).IsNil() {
			continue
		}
		name, _, _ := strings.Cut(from.Type().Field(i).Tag.Get("json"), ",")
		f(name, fmt.Sprint(from.Field(i).Elem().Interface()))
	}
}

// ofTenant is the flag by which the platform's operator names another tenant.
type ofTenant struct {
	Tenant string `placeholder:"NAME" help:"Another tenant than the key's own; for the platform's operator."`
}

func (o ofTenant) options() []client.CallOption {
	if o.Tenant == "" {
		return nil
	}
	return []client.CallOption{client.OfTenant(o.Tenant)}
}

// confirmation is what is asked before something ends.
type confirmation struct {
	Yes bool `help:"Do not ask."`
}

// confirm asks, unless --yes says it.
func (c confirmation) confirm(con *display.Console, question string) error {
	if c.Yes || con.Asks && con.Confirm(question) {
		return nil
	}
	if con.Asks {
		return display.StatusError(display.ExitFailure)
	}
	return display.Usagef("%s Give --yes.", question)
}

type configCmd struct {
	Effective configEffectiveCmd `cmd:"" help:"Show every setting that holds for an app, and where it comes from."`
	Platform  configPlatformCmd  `cmd:"" help:"Show or change what holds for every tenant that does not set it."`
}

// Help implements kong's HelpProvider.
func (configCmd) Help() string {
	return `A setting comes from the app, else from its tenant, else from the platform, else it is Belfry's default. A change holds
within five seconds:

    belfry config platform ttl=12h           # for everybody
    belfry tenant set acme ttl=6h weight=3   # for all apps of acme
    belfry app set shop ttl=1h               # for one app
    belfry config effective --app shop`
}
