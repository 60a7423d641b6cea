package telemetry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	sampleTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampleParent = "00f067aa0ba902b7"
	sample       = "00-" + sampleTrace + "-" + sampleParent + "-01"
)

func TestParseTraceParent(t *testing.T) {
	t.Parallel()

	want := TraceParent{
		TraceID:  [16]byte{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36},
		ParentID: [8]byte{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
	}
	tests := []struct {
		name  string
		in    string
		flags TraceFlags
	}{
		{"sampled", sample, FlagSampled},
		{"not sampled", "00-" + sampleTrace + "-" + sampleParent + "-00", 0},
		{"random", "00-" + sampleTrace + "-" + sampleParent + "-03", FlagSampled | FlagRandom},
		{"reserved flags are dropped", "00-" + sampleTrace + "-" + sampleParent + "-ff", FlagSampled | FlagRandom},
		{"newer version of the same length", "cc-" + sampleTrace + "-" + sampleParent + "-01", FlagSampled},
		{"newer version with more fields", "01-" + sampleTrace + "-" + sampleParent + "-01-what-comes", FlagSampled},
		{"newer version with an empty field", "01-" + sampleTrace + "-" + sampleParent + "-01-", FlagSampled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseTraceParent(tt.in)
			if err != nil {
				t.Fatalf("ParseTraceParent(%q): %v", tt.in, err)
			}
			want := want
			want.Flags = tt.flags
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseTraceParent(%q) (-want +got):\n%s", tt.in, diff)
			}
			if got.Sampled() != (tt.flags&FlagSampled != 0) {
				t.Errorf("Sampled() = %v with flags %02x", got.Sampled(), tt.flags)
			}
		})
	}
}

func TestParseTraceParentRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, in string }{
		{"empty", ""},
		{"too short", sample[:54]},
		{"version 00 too long", sample + "-"},
		{"version ff", "ff" + sample[2:]},
		{"newer version, no dash before what is new", "01" + sample[2:] + "x"},
		{"capitals in the version", "CC" + sample[2:]},
		{"capitals in the trace id", strings.ToUpper(sample)},
		{"capital in the flags", sample[:54] + "A"},
		{"no hex in the version", "0x" + sample[2:]},
		{"no hex in the trace id", "00-" + "g" + sampleTrace[1:] + "-" + sampleParent + "-01"},
		{"no hex in the parent id", "00-" + sampleTrace + "-" + "g" + sampleParent[1:] + "-01"},
		{"no hex in the flags", sample[:53] + ".0"},
		{"trace id of zeros", "00-" + strings.Repeat("0", 32) + "-" + sampleParent + "-01"},
		{"parent id of zeros", "00-" + sampleTrace + "-" + strings.Repeat("0", 16) + "-01"},
		{"first separator", "00_" + sample[3:]},
		{"second separator", sample[:35] + "_" + sample[36:]},
		{"third separator", sample[:52] + "_" + sample[53:]},
		{"blank before", " " + sample},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseTraceParent(tt.in)
			if err != ErrTraceParent { //nolint:errorlint // the contract is this very value, not a wrapper of it
				t.Errorf("ParseTraceParent(%q) error = %v, want ErrTraceParent", tt.in, err)
			}
			if got.Valid() {
				t.Errorf("ParseTraceParent(%q) = %v beside its error", tt.in, got)
			}
		})
	}
}

func TestTraceParentRoundTrip(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		tp := TraceParent{Flags: TraceFlags(rapid.Byte().Draw(t, "flags")) & definedFlags}
		copy(tp.TraceID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
		copy(tp.ParentID[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "parent"))

		got, err := ParseTraceParent(tp.String())
		if (err == nil) != tp.Valid() {
			t.Fatalf("ParseTraceParent(%q) error = %v, Valid = %v", tp, err, tp.Valid())
		}
		if err == nil && got != tp {
			t.Fatalf("ParseTraceParent(%q) = %q", tp, got)
		}
	})
}

func TestTraceParentStringDropsReservedFlags(t *testing.T) {
	t.Parallel()

	tp := NewTraceParent(true)
	tp.Flags = 0xff
	if s := tp.String(); !strings.HasSuffix(s, "-03") {
		t.Errorf("String() = %q, want flags 03", s)
	}
}

func TestNewTraceParent(t *testing.T) {
	t.Parallel()

	seen := map[TraceParent]bool{}
	for i := range 100 {
		sampled := i%2 == 0
		tp := NewTraceParent(sampled)
		if !tp.Valid() || tp.Sampled() != sampled || tp.Flags&FlagRandom == 0 || seen[tp] {
			t.Fatalf("NewTraceParent(%v) = %v: invalid, mis-flagged or seen before", sampled, tp)
		}
		seen[tp] = true
	}
}

func TestChild(t *testing.T) {
	t.Parallel()

	parent := NewTraceParent(true)
	child := parent.Child()
	if child.TraceID != parent.TraceID || child.Flags != parent.Flags {
		t.Errorf("child %v left the trace of %v", child, parent)
	}
	if child.ParentID == parent.ParentID || !child.Valid() {
		t.Errorf("child %v has no parent id of its own beside %v", child, parent)
	}
	if orphan := (TraceParent{Flags: FlagSampled}).Child(); !orphan.Valid() || orphan.Sampled() {
		t.Errorf("child of an invalid position = %v, want a new unsampled trace", orphan)
	}
}

func TestFillNonZeroReadsAgain(t *testing.T) {
	t.Parallel()

	reads := 0
	id := make([]byte, 8)
	fillNonZero(id, func(b []byte) {
		reads++
		if reads == 3 {
			b[7] = 1
		}
	})
	if reads != 3 || id[7] != 1 {
		t.Errorf("after %d reads: id = %x, want a third read that sets it", reads, id)
	}
}

// FuzzParseTraceParent feeds what a stranger's header may hold. Whatever is
// accepted must be valid and survive a round trip in canonical form.
func FuzzParseTraceParent(f *testing.F) {
	for _, s := range []string{
		"", sample, strings.ToUpper(sample), "cc" + sample[2:] + "-extra", "ff" + sample[2:],
		"00-" + strings.Repeat("0", 32) + "-" + sampleParent + "-01", sample + "\x00", strings.Repeat("-", 55),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tp, err := ParseTraceParent(s)
		if err != nil {
			if tp != (TraceParent{}) {
				t.Fatalf("%q: %v beside an error", s, tp)
			}
			return
		}
		again, err := ParseTraceParent(tp.String())
		if err != nil || again != tp || !tp.Valid() {
			t.Fatalf("%q was read as %v, which is read as %v (%v)", s, tp, again, err)
		}
		if s[:2] == "00" && s[:53] != tp.String()[:53] {
			t.Fatalf("%q came back as %q", s, tp)
		}
	})
}
