package wire_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

const rplID = "rpl_01890a5d-ac96-774b-bcce-b302099a8059"

// replayed is a chunk of recipients that a replay sends again with an edited
// message, whose text looks like the array that the decoder looks for first.
func replayed() push.Chunk {
	c := bare()
	c.Index, c.Turn = []int{2, 5, 6}, 9
	c.Replay, c.Series, c.ExpiresAt = rplID, 2, at.Add(24*time.Hour)
	c.Message = push.Message(`{"data":{"values":["a","b"]},"notification":{"title":"Hi"}}`)
	return c
}

func TestReplayedChunkGolden(t *testing.T) {
	t.Parallel()
	chunk := replayed()
	got, err := wire.EncodeChunk(&chunk, trace)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "chunk-replayed.json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), string(got)); diff != "" {
		t.Errorf("the wire format changed (-golden +got); messages of the old one are on queues:\n%s", diff)
	}
	back, tp, err := wire.DecodeChunk(want)
	same(t, back, replayed(), err)
	if tp != trace {
		t.Errorf("traceparent is %q", tp)
	}
}

func TestReplayedChunkRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawChunk(t, 5)
		want.Replay, want.Series = rplID, rapid.IntRange(0, 9).Draw(t, "series")
		want.ExpiresAt = drawTime(t, "expires at")
		messages := rapid.SampledFrom([]string{`{}`, `{"data":{"k":"v"}}`, `{"a":"\u0000"}`, `{"values":["x"]}`})
		want.Message = push.Message(messages.Draw(t, "message"))
		body, err := wire.EncodeChunk(&want, "")
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := wire.DecodeChunk(body)
		same(t, got, want, err)
	})
}

func TestReplayedChunkIsChecked(t *testing.T) {
	t.Parallel()
	chunk := replayed()
	good, err := wire.EncodeChunk(&chunk, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"another kind of id": {rplID, batID},
		"a negative series":  {`"series":2`, `"series":-2`},
		"a message that is no object": {
			`"message":{"data":{"values":["a","b"]},"notification":{"title":"Hi"}}`, `"message":"text"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := strings.Replace(string(good), edit[0], edit[1], 1)
			if bad == string(good) {
				t.Fatal("the edit changes nothing")
			}
			if _, _, err := wire.DecodeChunk([]byte(bad)); !errors.Is(err, wire.ErrForeign) {
				t.Errorf("error is %v, want ErrForeign", err)
			}
		})
	}
}
