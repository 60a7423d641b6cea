package about_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
)

const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	traceParent = "00-" + traceID + "-b7ad6b7169203331-01"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	n := push.Notification{ID: "ntf_1", Tenant: "acme", TraceParent: traceParent}
	c := push.Chunk{Ref: push.ChunkRef{Notification: "ntf_1", Seq: 7}, Tenant: "acme"}
	again := c
	again.Replay = "rpl_1"
	task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: "ntf_1", Page: wire.AllPages, TraceParent: traceParent})
	if err != nil {
		t.Fatal(err)
	}
	const other = "00-11111111111111111111111111111111-b7ad6b7169203331-01"
	cases := map[string]struct {
		field zap.Field
		want  map[string]any
	}{
		"notification": {about.Notification(&n), map[string]any{"notification": "ntf_1", "tenant": "acme", "trace_id": traceID}},
		"named": {about.Named("ntf_1", "acme", traceParent), map[string]any{
			"notification": "ntf_1", "tenant": "acme", "trace_id": traceID,
		}},
		"chunk": {about.Chunk(&c, traceParent), map[string]any{
			"notification": "ntf_1", "chunk": "ntf_1#7", "tenant": "acme", "trace_id": traceID,
		}},
		"replayed chunk": {about.Chunk(&again, traceParent), map[string]any{
			"notification": "ntf_1", "chunk": "ntf_1#7", "replay": "rpl_1", "tenant": "acme", "trace_id": traceID,
		}},
		"letter": {about.Letter(&push.Letter{ID: "dlt_1", Notification: "ntf_1", Tenant: "acme", TraceParent: traceParent}), map[string]any{
			"letter": "dlt_1", "notification": "ntf_1", "tenant": "acme", "trace_id": traceID,
		}},
		"replay":        {about.Replay("rpl_1", "acme"), map[string]any{"replay": "rpl_1", "tenant": "acme"}},
		"replay of all": {about.Replay("rpl_1", ""), map[string]any{"replay": "rpl_1"}},
		"message": {about.Message("m", "acme", task, other), map[string]any{
			"message_id": "m", "tenant": "acme", "trace_id": traceID,
		}},
		"message of another":  {about.Message("m", "", []byte("{}"), traceParent), map[string]any{"message_id": "m", "trace_id": traceID}},
		"message of nonsense": {about.Message("m", "", []byte{0xff}, "nonsense"), map[string]any{"message_id": "m"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{}).EncodeEntry(zapcore.Entry{}, []zap.Field{c.field})
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(line.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
