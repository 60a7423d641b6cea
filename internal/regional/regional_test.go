package regional_test

import (
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/regional"
)

func TestLocale(t *testing.T) {
	t.Parallel()
	for reported, want := range map[string]string{
		"de": "de", "en-US": "en-US", "es-419": "es-419", "zh-Hant-HK": "zh-Hant-HK", "de-DE-1996": "de-DE-1996",
		"en_US": "en-US", "en-us": "en-US", "EN_us": "en-US", " pt_BR\n": "pt-BR", "zh_Hans_CN": "zh-Hans-CN", "sr-latn-rs": "sr-Latn-RS",
		// POSIX
		"en_US.UTF-8": "en-US", "de_DE.ISO-8859-15@euro": "de-DE", "sr_RS@latin": "sr-Latn-RS", "sr_RS.UTF-8@cyrillic": "sr-Cyrl-RS",
		"sr@latin": "sr-Latn", "ca_ES@valencia": "ca-ES-valencia", "en_US_POSIX": "en-US-u-va-posix",
		// ICU, as on iOS
		"zh-Hant_TW@calendar=roc": "zh-Hant-TW", "en_US@calendar=japanese;numbers=arab": "en-US", "en_GB@rg=dezzzz": "en-GB",
		"zh-Hans_US": "zh-Hans-US",
		// java.util.Locale.toString
		"zh_TW_#Hant": "zh-Hant-TW", "sr__#Latn": "sr-Latn", "zh_CN_#Hans": "zh-Hans-CN", "zh_TW_#Hant_x-java": "zh-Hant-TW-x-java",
		"_GB":                 "und-GB",
		"th_TH_TH_#u-nu-thai": "th-TH", "ja_JP_JP_#u-ca-japanese": "ja-JP", "no_NO_NY": "nn-NO", "ar_EG_#u-nu-latn": "ar-EG-u-nu-latn",
		// Android's resources
		"zh-rTW": "zh-TW", "b+sr+Latn": "sr-Latn", "b+es+419": "es-419",
		// codes that were replaced
		"iw": "he", "iw_IL": "he-IL", "in_ID": "id-ID", "ji": "yi", "sh": "sr-Latn", "zh-yue": "yue", "i-klingon": "tlh", "en-UK": "en-GB",
		"en-US,en;q=0.9,de;q=0.8": "en-US", "en;q=0.5": "en",
		"en-US-u-ca-buddhist-hc-h12":                   "en-US-u-ca-buddhist-hc-h12",
		"en-US-u-ca-buddhist-hc-h12-nu-thai-rg-gbzzzz": "en-US", // longer than 35 bytes: without extensions
		"de-DE-foobar": "de-DE",
	} {
		if got, ok := regional.Locale(reported); !ok || got != want {
			t.Errorf("%q: got %q %v, want %q", reported, got, ok, want)
		}
	}
	for _, reported := range []string{
		"", " ", "C", "POSIX", "C.UTF-8", "root", "und", "xx", "english", "English (United States)", "1033", "-", "_", "#", "@", ".", ",",
		"#Latn", "b+", "-rUS",
		"<script>", "en\x00US", "en\xffUS", "дe", strings.Repeat("en-", 100), "en" + strings.Repeat("-abcdefgh", 28),
	} {
		if got, ok := regional.Locale(reported); ok || got != "" {
			if !strings.HasPrefix(reported, "en") { // the beginning is a language
				t.Errorf("%q: got %q", reported, got)
			}
		}
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	for reported, want := range map[string]string{
		"Europe/Berlin": "Europe/Berlin", "America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires",
		"America/Port-au-Prince": "America/Port-au-Prince",
		"Europe/Oslo":            "Europe/Oslo", "Etc/GMT+12": "Etc/GMT+12", "EST5EDT": "EST5EDT",
		"europe/berlin": "Europe/Berlin", "AMERICA/PORT_OF_SPAIN": "America/Port_of_Spain", " America/New York ": "America/New_York",
		// names that were replaced
		"Asia/Calcutta": "Asia/Kolkata", "Europe/Kiev": "Europe/Kyiv", "US/Pacific": "America/Los_Angeles",
		"America/Buenos_Aires": "America/Argentina/Buenos_Aires",
		"Asia/Katmandu":        "Asia/Kathmandu", "Asia/Saigon": "Asia/Ho_Chi_Minh", "GB": "Europe/London", "Pacific/Enderbury": "Pacific/Kanton",
		// UTC
		"utc": "UTC", "UTC": "UTC", "GMT": "UTC", "Zulu": "UTC", "z": "UTC", "Etc/UTC": "UTC", "Etc/GMT": "UTC", "GMT+0": "UTC",
		"GMT+00:00": "UTC", "+0000": "UTC", "-00:00": "UTC", "UTC+0": "UTC",
		// offsets
		"GMT+05:30": "+05:30", "UTC+2": "+02:00", "UTC-11": "-11:00", "+0530": "+05:30", "+05:30": "+05:30", "gmt-8": "-08:00",
		"GMT+5": "+05:00", "GMT-0330": "-03:30", "GMT+1:00": "+01:00", "UTC−5": "-05:00",
		"UTC +3": "+03:00", "+530": "+05:30", "GMT+05:30:00": "+05:30", "+14": "+14:00", "-12:00": "-12:00",
		// Windows
		"W. Europe Standard Time": "Europe/Berlin", "India Standard Time": "Asia/Kolkata", "Eastern Standard Time (Mexico)": "America/Cancun",
		// as programs print them
		"Europe/Berlin (current)": "Europe/Berlin", "+02:00[Europe/Berlin]": "Europe/Berlin", "[!Asia/Tokyo]": "Asia/Tokyo",
		"GMT+0200 (CEST)": "+02:00", "GMT+0530 (India Standard Time)": "+05:30",
		`sun.util.calendar.ZoneInfo[id="Asia/Calcutta",offset=19800000,dstSavings=0]`: "Asia/Kolkata",
		`libcore.util.ZoneInfo[mID="GMT+03:00",mRawOffset=1]`:                         "+03:00",
	} {
		if got, ok := regional.Zone(reported); !ok || got != want {
			t.Errorf("%q: got %q %v, want %q", reported, got, ok, want)
		}
	}
	for _, reported := range []string{
		"", " ", "Local", "localtime", "Factory", "Europe/Atlantis", "../etc/passwd", "IST", "PST", "CEST", "BST", "+", "-", "GMT+", "UTC+25",
		"+15:00", "-12:30", "+05:60", "+1234567", "+5:3",
		"GMT+05:30:30", "+٥", "7200", "5.5", "GMT+5.5", "Europe\x00/Berlin", "[]", "ZoneInfo[id=\"\"]", " (current)", strings.Repeat("+", 300),
		"+-5", "+05:-1",
	} {
		if got, ok := regional.Zone(reported); ok || got != "" {
			t.Errorf("%q: got %q", reported, got)
		}
	}
}

func FuzzLocale(f *testing.F) {
	for _, s := range []string{
		"en_US", "zh_TW_#Hant_x-java", "sr_RS@latin", "b+sr+Latn", "en-US-u-ca-buddhist", "zh-rTW", "i-klingon", "a-a", "x-y", "de-a-bbb-x-1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reported string) { settles(t, regional.Locale, reported, regional.MaxLocale) })
}

func FuzzZone(f *testing.F) {
	for _, s := range []string{
		"Europe/Berlin", "GMT+05:30", "+530", "UTC−5", "W. Europe Standard Time", "+02:00[Europe/Berlin]", `ZoneInfo[id="x"`, "Etc/GMT-14",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reported string) { settles(t, regional.Zone, reported, 64) })
}

// settles checks that what was understood is plain, short, and means itself.
func settles(t *testing.T, read func(string) (string, bool), reported string, most int) {
	t.Helper()
	got, ok := read(reported)
	if !ok {
		if got != "" {
			t.Fatalf("%q: not understood, but %q", reported, got)
		}
		return
	}
	if got == "" || len(got) > most || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Fatalf("%q: got %q", reported, got)
	}
	if again, ok := read(got); !ok || again != got {
		t.Fatalf("%q became %q, and that %q", reported, got, again)
	}
}

func BenchmarkLocale(b *testing.B) {
	for b.Loop() {
		regional.Locale("pt_BR")
	}
}
