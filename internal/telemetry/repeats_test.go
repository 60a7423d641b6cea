package telemetry

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// written returns the lines of buf, and empties it.
func written(t *testing.T, buf *buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(buf.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		delete(l, "time")
		out = append(out, l)
	}
	buf.Reset()
	return out
}

func TestRepeatsAreToldAsASum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, buf := newTestLogger(t, "debug", FormatJSON)
		log := root.With(zap.String("queue", "bulk"), zap.String("owner", "me"))
		for i := range 25 {
			log.Warn("dead", zap.String("code", "fcm.internal"), zap.String("chunk", strconv.Itoa(i)), zap.Int("recipients", 500))
		}
		log.Warn("dead", zap.String("code", "ttl"), zap.Int("recipients", 1)) // another code
		root.Warn("dead", zap.String("code", "fcm.internal"))                 // of no queue
		log.Info("dead", zap.String("code", "fcm.internal"))                  // less bad
		log.Named("n").Warn("dead", zap.String("code", "fcm.internal"))       // of another part
		for range 25 {
			log.Debug("detail")
		}
		if n := len(written(t, buf)); n != 10+4+25 {
			t.Errorf("%d lines at once, want ten of the first kind and all others", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := fmt.Sprint(written(t, buf))
		want := fmt.Sprint([]map[string]any{{
			"level": "warn", "msg": "lines left out: the same came again and again", "queue": "bulk", "owner": "me",
			"code": "fcm.internal", "line": "dead", "lines": 15.0, "recipients": 7500.0,
		}})
		if got != want {
			t.Errorf("told afterwards:\n%s\nwant\n%s", got, want)
		}
		log.Warn("dead", zap.String("code", "fcm.internal"))
		if n := len(written(t, buf)); n != 1 {
			t.Error("not written in the next minute")
		}
	})
}

// What was left out before the end of the program is told at its end.
func TestRepeatsAreToldAtTheEnd(t *testing.T) {
	t.Parallel()
	log, buf := newTestLogger(t, "info", FormatJSON)
	for range 12 {
		log.Info("m")
	}
	buf.Reset()
	if err := log.Sync(); err != nil {
		t.Fatal(err)
	}
	if l := written(t, buf); len(l) != 1 || l[0]["lines"] != 2.0 {
		t.Errorf("told %v", l)
	}
}

// Ever new tenants do not make the logger grow, and their lines are counted as one kind.
func TestRepeatsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, buf := newTestLogger(t, "info", FormatJSON)
		kinds := log.Core().(*repeats).kinds
		for i := range 3 * repeatsKinds {
			log.Info("m", zap.String("tenant", strconv.Itoa(i)))
		}
		kinds.mu.Lock()
		if n := len(kinds.of); n > repeatsKinds+1 {
			t.Errorf("remembers %d kinds", n)
		}
		kinds.mu.Unlock()
		if n := strings.Count(buf.String(), "\n"); n > repeatsKinds+repeatsMost {
			t.Errorf("%d lines", n)
		}
		buf.Reset()
		time.Sleep(repeatsWindow)
		synctest.Wait()
		l := written(t, buf)
		if len(l) != 1 || l[0]["tenant"] != nil || l[0]["lines"].(float64) < repeatsKinds {
			t.Errorf("told %v", l)
		}
		for i := range 2 * repeatsKinds {
			log.Info("m", zap.String("tenant", strconv.Itoa(i)))
		}
		if n := strings.Count(buf.String(), "\n"); n < repeatsKinds {
			t.Errorf("only %d lines in the next window", n)
		}
		_ = log.Sync()
	})
}

// pair is a field that becomes two keys.
type pair struct{ notification, tenant string }

func (p pair) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("notification", p.notification)
	enc.AddString("tenant", p.tenant)
	return nil
}

// Lines that stand for many are written once a minute for each cause and tenant; the sum
// names none of them, wherever their names came from.
func TestRepeatsEachMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, buf := newTestLogger(t, "info", FormatJSON)
		for i := range 5 {
			log := root.With(zap.Inline(pair{strconv.Itoa(i), "acme"}), zap.String("owner", "me"), zap.Int("epoch", i))
			log.Warn("dead", zap.String("last_code", "fcm.internal"), zap.Int("recipients", 2), EachMinute())
		}
		root.Warn("dead", zap.Inline(pair{"5", "acme"}), zap.String("last_code", "ttl"), EachMinute())
		root.Warn("dead", zap.Inline(pair{"6", "umbrella"}), zap.String("last_code", "ttl"), EachMinute())
		if n := len(written(t, buf)); n != 3 {
			t.Errorf("%d lines at once, want one for each cause and tenant", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := fmt.Sprint(written(t, buf))
		want := fmt.Sprint([]map[string]any{{
			"level": "warn", "msg": "lines left out: the same came again and again", "owner": "me", "tenant": "acme",
			"last_code": "fcm.internal", "line": "dead", "lines": 4.0, "recipients": 8.0,
		}})
		if got != want {
			t.Errorf("told afterwards:\n%s\nwant\n%s", got, want)
		}
	})
}
