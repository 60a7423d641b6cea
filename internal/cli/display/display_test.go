package display

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	c := &Console{Now: func() time.Time { return now }}
	for ago, want := range map[time.Duration]string{
		0: "now", 900 * time.Millisecond: "now", 5 * time.Second: "5 s ago", 3*time.Minute + time.Second: "3 m ago", 47 * time.Hour: "47 h ago",
		49 * time.Hour: "2 d ago", 800 * 24 * time.Hour: "2 y ago", -2*time.Hour - time.Minute: "in 2 h",
	} {
		at := now.Add(-ago)
		if got := c.Age(&at); got != want {
			t.Errorf("%v: %q, want %q", ago, got, want)
		}
	}
	if c.Age(nil) != "" || c.Age(&time.Time{}) != "" || c.Time(nil) != "" {
		t.Error("no time has an age")
	}
	east := now.Add(-time.Hour).In(time.FixedZone("east", 7200))
	if got := c.Time(&east); got != "2026-11-03T11:00:00Z (1 h ago)" {
		t.Errorf("Time: %s", got)
	}
}

// Columns are cut from the last, then dropped in their order; ids stay whole.
func TestTableFits(t *testing.T) {
	t.Parallel()
	table := NewTable(Column{Name: "ID"}, Column{Name: "N", Right: true, Drop: 2}, Column{Name: "STATE", Tone: true, Drop: 1},
		Column{Name: "TEXT", Least: 6})
	table.Row("id-1", "1", "held", "日本語の長い文章です")
	table.Row("id-22", "1,000", "sent", "x\x1b[2J\ny")
	for width, want := range map[int]string{
		0:  "ID         N  STATE  TEXT\nid-1       1  held   日本語の長い文章です\nid-22  1,000  sent   x\\u001b[2J\\u000ay\n",
		30: "ID         N  STATE  TEXT\nid-1       1  held   日本語の…\nid-22  1,000  sent   x\\u001b[…\n",
		20: "ID         N  TEXT\nid-1       1  日本…\nid-22  1,000  x\\u00…\nnot shown for want\nof room: STATE; -o\nwide shows all\n",
		14: "ID     TEXT\nid-1   日本語…\nid-22  x\\u001…\nnot shown for\nwant of room:\nSTATE, N; -o\nwide shows all\n",
	} {
		var out bytes.Buffer
		if err := table.Print(&Console{Out: &out, Err: &out, Width: width}, false, ""); err != nil || out.String() != want {
			t.Errorf("%d columns (%v):\n%s\nwant\n%s", width, err, out.String(), want)
		}
	}
	var out bytes.Buffer
	_ = table.Print(&Console{Out: &out, Err: &out, Width: 14}, true, "")
	if strings.Contains(out.String(), "…") || !strings.Contains(out.String(), "STATE") {
		t.Errorf("wide is cut:\n%s", out.String())
	}
	out.Reset()
	con := &Console{Out: &out, Err: &out}
	con.SetColour("always")
	_ = table.Print(con.Guarded(), false, "")
	if !strings.Contains(out.String(), "\x1b[33mheld\x1b[") || strings.Contains(out.String(), "x\x1b[2J") {
		t.Errorf("colours: %q", out.String())
	}
}

func TestDiffer(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"v1.2.3", "v1.2.9"}: false, {"v1.2.3", "v1.3.0"}: true, {"v2.0.0", "v1.0.0"}: true, {"devel", "devel"}: false, {"devel", "v1.2.3"}: true,
		{"v0.0.0-20260101000000-aaaaaaaaaaaa", "v0.0.0-20260101000000-bbbbbbbbbbbb"}: true,
	} {
		if got := differ(pair[0], pair[1]); got != want {
			t.Errorf("%v: %v", pair, got)
		}
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) { return map[string]string{"COLUMNS": "120"}[name], true }
	var out bytes.Buffer
	c := NewConsole(env, strings.NewReader("yes\n"), &out, &out)
	if c.Width != 0 || c.Colour || c.ErrColour || c.Terminal {
		t.Errorf("a buffer is a terminal: %+v", c)
	}
	if got := terminalWidth(env, &out); got != 120 {
		t.Errorf("COLUMNS: %d", got)
	}
	if got := terminalWidth(func(string) (string, bool) { return "", false }, &out); got != 80 {
		t.Errorf("without: %d", got)
	}
	if !c.Confirm("Sure?") || c.Confirm("Sure?") {
		t.Error("yes once, then nothing")
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	c := &Console{Now: func() time.Time { return now }}
	for text, want := range map[string]time.Time{
		"90m": now.Add(-90 * time.Minute), "36h": now.Add(-36 * time.Hour), "3d": now.AddDate(0, 0, -3), "2w": now.AddDate(0, 0, -14),
		"1h30m": now.Add(-90 * time.Minute), "0s": now, "2026-10-31": time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC),
		"2026-10-31T10:00:00+02:00": time.Date(2026, 10, 31, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := c.Moment(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "soon", "-1h", "1y", "999999w", "31.10.2026", "3 d"} {
		if got, err := c.Moment(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}
