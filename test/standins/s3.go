package standins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// objects is an S3 in this process's memory.
type objects struct {
	server *http.Server
	done   sync.WaitGroup
	err    error // of Serve, read after done
}

// startS3 serves S3 on loopback. ctx bounds the start only.
func startS3(ctx context.Context, port int) (url string, running io.Closer, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return "", nil, fmt.Errorf("start S3: %w", err)
	}
	fake := gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog()))
	o := &objects{server: &http.Server{Handler: fake.Server(), ReadHeaderTimeout: time.Minute}}
	o.done.Go(func() { o.err = o.server.Serve(listener) })
	return "http://" + listener.Addr().String(), o, nil
}

// Close stops serving.
func (o *objects) Close() error {
	err := o.server.Close()
	o.done.Wait()
	if !errors.Is(o.err, http.ErrServerClosed) {
		err = errors.Join(err, o.err)
	}
	return err
}
