package remote

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// numbered returns that many lines, as a file would have them.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(`{"token":"t` + strings.Repeat("x", i) + "\"}\n")
	}
	return b.String()
}

// An upload that was interrupted goes on in another process, without sending
// again what is there.
func TestUploadGoesOnInAnotherProcess(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state = client.StateUploading
	belfry(t.Context(), api.URL, strings.NewReader(numbered(1, 4)), "batch", "upload", "bat_1", "-").Expect(t, display.ExitOK, "4 lines")
	r := belfry(t.Context(), api.URL, nil, "batch", "upload", "bat_1", clitest.File(t, "all.ndjson.zst", zstandard(numbered(1, 9))), "-o",
		"json")
	r.Expect(t, display.ExitOK, "bat_1 had the first 4 lines of ")
	var got struct {
		client.Notification
		Upload client.UploadResult
	}
	if err := json.Unmarshal([]byte(r.Out), &got); err != nil || got.ID != "bat_1" || *got.Received != 9 {
		t.Errorf("output = %s, %v", r.Out, err)
	}
	if diff := cmp.Diff(client.UploadResult{Accepted: 5, Watermark: 9}, got.Upload); diff != "" {
		t.Errorf("upload (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(numbered(1, 9)), "\n"), api.lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}

	// An append goes on by the number of its first line.
	more := clitest.File(t, "more.ndjson", numbered(10, 12))
	belfry(t.Context(), api.URL, strings.NewReader(numbered(10, 10)), "batch", "upload", "bat_1", "-", "--append").Expect(
		t, display.ExitOK, "10 lines",
	)
	belfry(t.Context(), api.URL, nil, "batch", "upload", "bat_1", more, "--offset", "10").Expect(t, display.ExitOK,
		"bat_1 had the first line of ", "12 lines")
	if len(api.lines) != 12 || api.lines[9] != strings.TrimSpace(numbered(10, 10)) {
		t.Errorf("lines = %q", api.lines)
	}
}

// A server that is away for longer than the client itself tries is waited for.
func TestUploadOutlastsTheServer(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state, api.away = client.StateUploading, client.DefaultRetry().Attempts+1
	list := clitest.File(t, "list.ndjson", numbered(1, 3))
	belfry(t.Context(), api.URL, nil, "batch", "upload", "bat_1", list).Expect(t, display.ExitOK, "upload: no answer, trying again in 1s: ",
		"3 lines")

	api.away = 1000
	belfry(t.Context(), api.URL, nil, "batch", "upload", "bat_1", list, "--offset", "4", "--patience", "0s").
		Expect(t, display.ExitFailure, "bat_1 has 3 lines. The same command goes on from there.")
}

func TestUploadCompresses(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name string
		old  bool
		args []string
		want []string
	}{
		{"by default", false, nil, []string{"zstd"}},
		{"a server that does not take it", true, nil, []string{"zstd", ""}},
		{"not when told", false, []string{"--no-compress"}, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			api.state, api.plain = client.StateUploading, tt.old
			belfry(t.Context(), api.URL, strings.NewReader(numbered(1, 3)), append([]string{"batch", "upload", "bat_1", "-"}, tt.args...)...).
				Expect(t, display.ExitOK, "3 lines")
			if !slices.Equal(api.codings, tt.want) {
				t.Errorf("Content-Encodings = %q, want %q", api.codings, tt.want)
			}
		})
	}
}
