package telemetry

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLevelToggles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var buf buffer
		log, level, err := NewLogger("error", FormatJSON, &buf)
		if err != nil {
			t.Fatal(err)
		}
		want := func(when string, debug bool) {
			t.Helper()
			synctest.Wait()
			buf.Reset()
			if log.Debug("m"); (len(buf.String()) > 0) != debug {
				t.Errorf("%s: a line at debug is written: %v, want %v", when, !debug, debug)
			}
		}
		want("at the start", false)

		level.Toggle(log)
		if s := buf.String(); !strings.Contains(s, `"msg":"log level changed","from":"error","to":"debug","for":900`) {
			t.Errorf("told: %s", s)
		}
		want("switched on", true)
		time.Sleep(DebugFor - time.Second)
		want("before its time", true)
		time.Sleep(time.Second)
		synctest.Wait()
		want("after its time", false)

		level.Toggle(log)
		level.Toggle(log)
		if s := buf.String(); !strings.Contains(s, `"msg":"log level changed","from":"debug","to":"error"}`) {
			t.Errorf("told: %s", s)
		}
		want("switched back", false)
		level.Toggle(log)
		time.Sleep(DebugFor - time.Second)
		want("switched on again: the time of before is over, its own is not", true)
		level.Stop()
		want("stopped", false)
	})
}
