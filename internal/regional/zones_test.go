package regional

import (
	"archive/zip"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

var update = flag.Bool("update", false, "write zones.txt from this machine's time zone data")

// TestZonesText checks every line of zones.txt against Go's time zone data: both
// names exist and keep the same time from 2020 on.
//
// With -update it writes the file: the names of Go's lib/time/zoneinfo.zip; what
// they stand for by the links of the IANA database (tzdata.zi), but for those
// that a country has as its own zone today (zone.tab); Windows' names as in Go's
// time/zoneinfo_abbrs_windows.go, which has them from CLDR.
func TestZonesText(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.WriteFile("zones.txt", []byte(strings.Join(collect(t), "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Skip("written")
	}
	lines := strings.Split(strings.TrimSuffix(zonesText, "\n"), "\n")
	if len(lines) < 700 || !slices.IsSorted(lines) {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		name, zone, other := strings.Cut(line, "\t")
		if !other {
			zone = name
		}
		to, err := time.LoadLocation(zone)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if again, ok := Zone(zone); !ok || again != zone {
			t.Errorf("%q stands for %q", line, again)
		}
		from, err := time.LoadLocation(name)
		if err != nil {
			continue // a name of Windows
		}
		for at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2035; at = at.AddDate(0, 0, 15) {
			_, a := at.In(from).Zone()
			if _, b := at.In(to).Zone(); a != b {
				t.Errorf("%q: they differ on %s", line, at)
				break
			}
		}
	}
}

func collect(t *testing.T) []string {
	t.Helper()
	names := map[string]string{}
	//nolint:staticcheck // of the go that runs the test
	archive, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib/time/zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") && f.Name != "Factory" {
			names[f.Name] = ""
		}
	}
	own := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^[A-Z]{2}\t\S+\t(\S+)`).FindAllStringSubmatch(read(t, "/usr/share/zoneinfo/zone.tab"), -1) {
		own[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^L (\S+) (\S+)$`).FindAllStringSubmatch(read(t, "/usr/share/zoneinfo/tzdata.zi"), -1) {
		if _, known := names[m[2]]; known && !own[m[2]] {
			names[m[2]] = m[1]
		}
	}
	for name, zone := range names {
		if strings.HasPrefix(zone, "Etc/") || zone == "GMT" || name == "Etc/GMT" || name == "GMT" || name == "Etc/UTC" {
			names[name] = utc
		}
	}
	windows := regexp.MustCompile(`(?m)^\t"([^"]+)":.*// (\S+)$`)
	//nolint:staticcheck // as above
	for _, m := range windows.FindAllStringSubmatch(read(t, filepath.Join(runtime.GOROOT(), "src/time/zoneinfo_abbrs_windows.go")), -1) {
		if strings.HasPrefix(m[1], utc) {
			continue // UTC-11 is read as an offset, like UTC-10
		}
		zone := m[2]
		if names[zone] != "" {
			zone = names[zone]
		}
		names[m[1]] = zone
	}
	names[utc] = ""
	lines := []string{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		line := name
		if zone := names[name]; zone != "" && zone != name {
			for names[zone] != "" {
				zone = names[zone]
			}
			line += "\t" + zone
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
