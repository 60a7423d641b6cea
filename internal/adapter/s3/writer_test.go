package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// pattern is data whose parts differ.
func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i>>16 ^ i>>8 ^ i)
	}
	return data
}

func read(t *testing.T, s *Store, key string) (data []byte, contentType string, found bool) {
	t.Helper()
	out, err := s.api.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if status(err) == http.StatusNotFound {
		return nil, "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if data, err = io.ReadAll(out.Body); err != nil {
		t.Fatal(err)
	}
	return data, *out.ContentType, true
}

func TestWriterUploadsInParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		bytes int
		write int     // bytes of one Write
		puts  float64 // requests that S3 bills
	}{
		{"nothing", 0, 1, 1},
		{"less than a part", 100, 7, 1},
		{"a part", partBytes, 1 << 20, 1 + 1 + 1},
		{"a part and a byte", partBytes + 1, 3 << 20, 1 + 2 + 1},
		{"in one piece", 2*partBytes + 5, 2*partBytes + 5, 1 + 3 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			meter := awsmeter.New(prometheus.NewRegistry())
			store := open(t, meter)
			data := pattern(c.bytes)
			w := store.Writer(t.Context(), "exports/a.ndjson", "application/x-ndjson")
			defer w.Abort() // does nothing after Close
			for rest := data; len(rest) > 0; {
				n, err := w.Write(rest[:min(c.write, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if _, _, found := read(t, store, "exports/a.ndjson"); found {
				t.Error("the object is there before Close")
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, contentType, _ := read(t, store, "exports/a.ndjson")
			if !bytes.Equal(got, data) || contentType != "application/x-ndjson" {
				t.Errorf("stored %d bytes of %s, want the %d written", len(got), contentType, len(data))
			}
			if puts := meter.Snapshot().Units[awsmeter.Quantity{Service: awsmeter.S3, Unit: awsmeter.PutRequests}]; puts != c.puts {
				t.Errorf("metered %v put requests, want %v", puts, c.puts)
			}
			if _, err := w.Write([]byte("more")); err == nil {
				t.Error("Write after Close: no error")
			}
		})
	}
}

func TestWriterLeavesNothingOfAFailure(t *testing.T) {
	t.Parallel()
	denied := refusal(http.StatusForbidden, "AccessDenied")
	for _, c := range []struct {
		name    string
		sick    sick
		bytes   int
		aborted int
	}{
		{"the only put", sick{puts: []error{denied}}, 10, 0},
		{"the first part", sick{parts: []error{denied}}, partBytes + 1, 1},
		{"the last part", sick{parts: []error{nil, denied}}, partBytes + 1, 1},
		{"the end", sick{complete: denied}, partBytes + 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := open(t, nil)
			ill := &c.sick
			ill.api, store.api = store.api, ill
			w := store.Writer(t.Context(), "exports/a", "text/plain")
			_, writeErr := w.Write(pattern(c.bytes))
			closeErr := w.Close()
			if awsconf.KindOf(closeErr) != awsconf.KindDenied {
				t.Errorf("Close: %v, want an error of kind %s", closeErr, awsconf.KindDenied)
			}
			if writeErr != nil && !errors.Is(closeErr, writeErr) {
				t.Errorf("Write failed with %v, Close with %v", writeErr, closeErr)
			}
			if _, _, found := read(t, store, "exports/a"); found || ill.aborted != c.aborted {
				t.Errorf("the object is there: %v; aborted %d times, want %d", found, ill.aborted, c.aborted)
			}
		})
	}
}

func TestWriterAborts(t *testing.T) {
	t.Parallel()
	store := open(t, nil)
	ill := &sick{api: store.api}
	store.api = ill
	w := store.Writer(t.Context(), "exports/a", "text/plain")
	if _, err := w.Write(pattern(partBytes)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write([]byte("x")); !errors.Is(err, errAborted) {
		t.Errorf("Write after Abort: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errAborted) {
		t.Errorf("Close after Abort: %v", err)
	}
	if _, _, found := read(t, store, "exports/a"); found || ill.aborted != 1 {
		t.Errorf("the object is there: %v; aborted %d times, want once", found, ill.aborted)
	}
}

func TestWriterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	store := open(t, nil)
	ill := &sick{api: store.api}
	store.api = ill
	ctx, cancel := context.WithCancel(t.Context())
	w := store.Writer(ctx, "exports/a", "text/plain")
	if _, err := w.Write(pattern(partBytes)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := w.Close(); !errors.Is(err, context.Canceled) || ill.aborted != 1 {
		t.Errorf("Close: %v, aborted %d times; want context.Canceled and once", err, ill.aborted)
	}
}
