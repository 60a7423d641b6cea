package h2

import (
	"fmt"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// writePreface writes the connection preface and our SETTINGS (§3.4), and widens the
// connection's receive window, which SETTINGS cannot (§6.9.2).
func (c *conn) writePreface() {
	c.out.b = append(c.out.b, http2.ClientPreface...)
	_ = c.wr.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: transport.MaxBody},
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: maxRecvFrame},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderBytes},
	)
	_ = c.wr.WriteWindowUpdate(0, recvWindow-initialWindow)
}

// onSettings applies the peer's settings and acknowledges them (§6.5.3).
func (c *conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	limit := uint32(0)
	limited := false
	c.mu.Lock()
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err // ranges of §6.5.2, as errors of the connection
		}
		if s.ID == http2.SettingMaxConcurrentStreams {
			limit, limited = s.Val, true
			return nil
		}
		return c.applySetting(s)
	})
	if err == nil {
		_ = c.wr.WriteSettingsAck()
		c.pumpBlocked()
		err = c.checkOutput()
	}
	c.mu.Unlock()
	if limited {
		c.client.setLimit(c, limit)
	}
	return err
}

// applySetting applies one setting. The lock is held.
func (c *conn) applySetting(s http2.Setting) error {
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.enc.setTableSize(s.Val)
	case http2.SettingInitialWindowSize:
		return c.setStreamWindow(int32(s.Val)) //nolint:gosec // Valid checked it
	case http2.SettingMaxFrameSize:
		c.maxFrame = int32(s.Val) //nolint:gosec // Valid checked it
	case http2.SettingMaxConcurrentStreams, http2.SettingEnablePush, http2.SettingMaxHeaderListSize,
		http2.SettingEnableConnectProtocol, http2.SettingNoRFC7540Priorities:
		// The first is the caller's; the others do not concern this client.
	}
	return nil
}

// setStreamWindow moves the windows of all streams by the difference to the old
// initial size, below zero if need be (§6.9.2). The lock is held.
func (c *conn) setStreamWindow(n int32) error {
	delta := int64(n) - int64(c.streamWindow)
	c.streamWindow = n
	for _, s := range c.streams {
		w := int64(s.window) + delta
		if w > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		s.window = int32(w) //nolint:gosec // checked above; never below -maxWindow
	}
	return nil
}

// onWindowUpdate lets more body bytes go (§6.9).
func (c *conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	if f.StreamID == 0 {
		defer c.mu.Unlock()
		if int64(c.sendWindow)+int64(f.Increment) > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		c.sendWindow += int32(f.Increment) //nolint:gosec // 31 bits
		c.pumpBlocked()
		return nil
	}
	s, ok := c.streams[f.StreamID]
	if !ok {
		idle := c.idle(f.StreamID)
		c.mu.Unlock()
		if idle {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return nil
	}
	if int64(s.window)+int64(f.Increment) > maxWindow {
		c.mu.Unlock()
		c.endStream(f.StreamID, http2.ErrCodeFlowControl, &transport.Error{Kind: transport.Reset, Err: errMalformed})
		return nil
	}
	s.window += int32(f.Increment) //nolint:gosec // 31 bits
	c.pumpBlocked()
	c.mu.Unlock()
	return nil
}

// checkOutput returns an error if the peer makes this side answer more than it reads. The lock is
// held.
func (c *conn) checkOutput() error {
	if len(c.out.b) > maxOutput {
		return fmt.Errorf("%d bytes wait to be written: %w", len(c.out.b), http2.ConnectionError(http2.ErrCodeEnhanceYourCalm))
	}
	return nil
}
