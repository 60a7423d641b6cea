package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()

	var b strings.Builder
	if err := WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "settings.md", b.String())
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "settings.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), b.String()) {
		t.Error("docs/settings.md does not hold the table of settings: copy testdata/settings.md into it")
	}
}

// Every flag of a service has a variable, which is named after it.
func TestNames(t *testing.T) {
	t.Parallel()

	for _, cfg := range []any{&Ingest{}, &Dispatcher{}, &Replayer{}, &Up{}, &Sim{}} {
		rows, err := settings(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if row.env != envOf(row.flag) {
				t.Errorf("--%s has the variable %s, want %s", row.flag, row.env, envOf(row.flag))
			}
		}
		if want := leaves(reflect.TypeOf(cfg).Elem()); len(rows) != want {
			t.Errorf("%T has %d settings with a variable, and %d fields", cfg, len(rows), want)
		}
	}
}

func leaves(t reflect.Type) (n int) {
	for f := range t.Fields() {
		if f.Type.Kind() == reflect.Struct {
			n += leaves(f.Type)
		} else {
			n++
		}
	}
	return n
}

func TestRehearsalsAreQuiet(t *testing.T) {
	t.Parallel()

	for _, log := range []Log{Demo{}.Log(), Bench{}.Log()} {
		if log.Level != "error" {
			t.Errorf("level = %s", log.Level)
		}
	}
	if got := (Demo{Verbose: true}).Log(); got.Level != "info" || checkAll(got) != nil {
		t.Errorf("verbose log = %+v", got)
	}
}

func TestFormatFor(t *testing.T) {
	t.Parallel()

	for want, l := range map[string]Log{"json": {Format: "json"}, "console": {Format: "console"}} {
		if l.FormatFor(true) != want || l.FormatFor(false) != want {
			t.Errorf("%s is not kept", want)
		}
	}
	if auto := (Log{Format: "auto"}); auto.FormatFor(true) != "console" || auto.FormatFor(false) != "json" {
		t.Error("auto does not follow the terminal")
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()

	if err := (Remote{API: "https://push.example.com/x"}).Validate(); err != nil {
		t.Error(err)
	}
	err := Remote{API: "push.example.com"}.Validate()
	if err == nil || !strings.Contains(err.Error(), `--api (BELFRY_API): must be http://host`) {
		t.Errorf("error = %v", err)
	}
}
