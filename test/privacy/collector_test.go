package privacy

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes spans by OTLP, and keeps all that they say.
type collector struct {
	*httptest.Server

	mu   sync.Mutex
	said strings.Builder
}

func openCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var d tracepb.TracesData
		if err := errors.Join(err, proto.Unmarshal(b, &d)); err != nil {
			t.Errorf("not OTLP: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range d.GetResourceSpans() {
			c.said.WriteString(resource.GetResource().String() + "\n")
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					c.said.WriteString(span.String() + "\n")
				}
			}
		}
		for field := range r.Header {
			c.said.WriteString(field + ": " + r.Header.Get(field) + "\n")
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// text is every field of every span: names, attributes, events, states, links, resources.
func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}
