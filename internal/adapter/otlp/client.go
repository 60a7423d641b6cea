package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// client sends traces by OTLP over HTTP. OpenTelemetry's own client for that, otlptracehttp,
// brings 64 packages of gRPC for one generated type, and programs that do not send contain
// no gRPC. A request is that type's only field, which TracesData has under the same number:
// the same bytes (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
//
// It never repeats a request: the next batch is the next try, and what a collector does not
// take is lost and counted. Spans that wait for a collector would be memory that grows while
// it is away.
type client struct {
	settings Settings
	http     *http.Client
}

var _ otlptrace.Client = (*client)(nil)

func newClient(s Settings) (*client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // it is one
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE: there is no certificate in the file")
		}
	}
	if s.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	transport.TLSClientConfig = conf
	return &client{settings: s, http: &http.Client{Transport: transport}}, nil
}

// Start implements otlptrace.Client.
func (*client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if c.settings.Gzip {
		body = zipped(body)
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = c.settings.Header.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	if c.settings.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	const most = 64 << 10 // what is read to keep the connection; nothing of it is needed
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, most))
	if answer.StatusCode/100 != 2 { //nolint:mnd // a success
		return fmt.Errorf("the collector answered %s", answer.Status)
	}
	return nil
}

func zipped(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return buf.Bytes()
}
