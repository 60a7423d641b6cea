package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// muteServer takes connections and whatever comes, and says a few words at most.
func muteServer(t *testing.T, says string, takes int64) *Client {
	t.Helper()
	dial := func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			if says != "" {
				_, _ = theirs.Read(make([]byte, 1<<10))
				_, _ = io.WriteString(theirs, says)
			}
			_, _ = io.CopyN(io.Discard, theirs, takes)
			<-t.Context().Done()
		}()
		return ours, nil
	}
	tr := &http.Transport{DialContext: dial}
	t.Cleanup(tr.CloseIdleConnections)
	c, err := New("http://belfry.test", "", WithHTTPClient(&http.Client{Transport: tr}), WithRetry(Retry{Attempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const plenty = 1 << 40

// No call waits for ever for a server that is there and mute.
func TestMuteServersHoldNoCall(t *testing.T) {
	t.Parallel()
	report := func(ctx context.Context, c *Client) error {
		for _, err := range c.Report(ctx, "ntf_1", DeliveryFilter{}) {
			return err
		}
		return nil
	}
	export := func(ctx context.Context, c *Client) error {
		body, err := c.ExportDeadLetters(ctx, DeadLetterFilter{}, false)
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(io.Discard, body)
		return err
	}
	upload := func(ctx context.Context, c *Client) error {
		_, err := c.UploadRecipients(ctx, "ntf_1", strings.NewReader(strings.Repeat("{}\n", 1<<16)), UploadOptions{})
		return err
	}
	for _, tc := range []struct {
		name, says string
		takes      int64
		call       func(context.Context, *Client) error
		want       time.Duration
	}{
		{"a small call", "", plenty, func(ctx context.Context, c *Client) error { _, err := c.Batch(ctx, "ntf_1"); return err }, attemptTimeout},
		{"readiness", "", plenty, func(ctx context.Context, c *Client) error { return c.Ready(ctx) }, attemptTimeout},
		{"a part", "", plenty, func(ctx context.Context, c *Client) error {
			u := c.Uploader("ntf_1", 1)
			if err := u.Add(ctx, Recipient{Token: "t"}); err != nil {
				return err
			}
			_, err := u.Flush(ctx)
			return err
		}, partTimeout},
		{"a report", "", plenty, report, streamSilence},
		{"a report, after its head", "HTTP/1.1 200 OK\r\n\r\n{\"li", plenty, report, streamSilence},
		{"an archive, after its head", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}\n", plenty, export, streamSilence},
		{"an upload that is not taken", "", 1 << 10, upload, streamSilence},
		{"an upload that is not answered", "", plenty, upload, workPatience},
		{"an import that is not answered", "", plenty, func(ctx context.Context, c *Client) error {
			_, err := c.ImportDevices(ctx, strings.NewReader("{}\n"))
			return err
		}, workPatience},
		{
			"letters given up", "", plenty, func(ctx context.Context, c *Client) error { _, err := c.Discard(ctx, DiscardRequest{}); return err },
			workPatience,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				begun := time.Now()
				err := tc.call(ctx, muteServer(t, tc.says, tc.takes))
				took := time.Since(begun)
				if late, ok := errors.AsType[interface {
					error
					Timeout() bool
				}](err); !ok || !late.Timeout() {
					t.Errorf("error %v, want a time-out", err)
				}
				if took < tc.want || took > tc.want+time.Second {
					t.Errorf("it took %s, want %s", took, tc.want)
				}
			})
		})
	}
}

// slowReader gives a line, then pauses.
type slowReader struct {
	lines int
	pause time.Duration
}

// Read implements io.Reader.
func (s *slowReader) Read(p []byte) (int, error) {
	if s.lines == 0 {
		return 0, io.EOF
	}
	s.lines--
	time.Sleep(s.pause)
	return copy(p, "{}\n"), nil
}

// Those who are slow themselves lose no stream by it.
func TestSlowCallersAreNoMuteServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := answeringPipe(t, func(w io.Writer, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"accepted\":3}")
		})
		res, err := c.ImportDevices(t.Context(), &slowReader{3, 5 * streamSilence})
		if err != nil {
			t.Errorf("%+v, %v", res, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := answeringPipe(t, func(w io.Writer, _ *http.Request) {
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}\n")
			time.Sleep(streamSilence / 2)
			_, _ = io.WriteString(w, "{}\n{}\n")
		})
		n := 0
		for _, err := range c.Report(t.Context(), "ntf_1", DeliveryFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(5 * streamSilence)
		}
		if n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
	})
}

// answeringPipe is a server of one request, without a network.
func answeringPipe(t *testing.T, answer func(io.Writer, *http.Request)) *Client {
	t.Helper()
	dial := func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			if r, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
				answer(theirs, r)
			}
		}()
		return ours, nil
	}
	tr := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	c, err := New("http://belfry.test", "", WithHTTPClient(&http.Client{Transport: tr}), WithRetry(Retry{Attempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
