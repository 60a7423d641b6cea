package httpapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// typeZstd is the media type of a zstd stream (RFC 8878 §7.1).
const typeZstd = "application/zstd"

// exportLetters streams an archive, compressed for a client that says it takes
// that (RFC 9110 §12.5.3): then the bytes as they come are the archive, too. What
// fails before the first piece is still a problem; what fails later cuts the
// archive off, which its reader notices.
func (a *api) exportLetters(ctx context.Context, x *exchange) error {
	f, err := a.letters(x)
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Vary", "Accept-Encoding")
	out := &exportWriter{x: x, header: http.Header{"Content-Type": {typeNDJSON}}}
	write := a.cfg.DeadLetters.ExportPlain
	if wantsZstd(x.r.Header) {
		out.header.Set("Content-Encoding", "zstd")
		write = a.cfg.DeadLetters.Export
	}
	if x.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	_, err = write(ctx, f, out)
	return err
}

// exportWriter writes the pieces of an archive as they come.
type exportWriter struct {
	x      *exchange
	header http.Header // of the answer, once there is one
}

func (w *exportWriter) begin() {
	maps.Copy(w.x.w.Header(), w.header)
	w.x.w.WriteHeader(http.StatusOK)
}

// Write implements io.Writer.
func (w *exportWriter) Write(p []byte) (int, error) {
	w.x.patience()
	if w.x.w.status == 0 {
		w.begin()
	}
	n, err := w.x.w.Write(p)
	if err != nil {
		return n, refuse(codeGone, "").by(err)
	}
	return n, nil
}

// wantsZstd tells whether the client takes zstd as a content coding.
func wantsZstd(h http.Header) bool {
	for _, v := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(v, ",") {
			name, q, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), "zstd") {
				return acceptable(strings.TrimPrefix(strings.TrimSpace(q), "q="))
			}
		}
	}
	return false
}

// importLetters takes letters of every tenant: an archive says itself whose they
// are.
func (a *api) importLetters(ctx context.Context, x *exchange) (reply, error) {
	if !a.operator(x) {
		return reply{}, refuse(codeForbidden, "an archive is imported with the operator's key")
	}
	body, err := a.stream(x)
	if err != nil {
		return reply{}, err
	}
	defer body.close()
	done, err := a.cfg.DeadLetters.Import(ctx, body)
	if err == nil {
		return reply{status: http.StatusOK, body: archiveView(&done)}, nil
	}
	if why := body.broken(); why != nil {
		return reply{}, refuse(why.code, "%s: the import broke off with %d letters stored: send it again", why.detail, done.Stored).by(err)
	}
	if errors.Is(err, push.ErrNewerSchema) {
		return reply{}, refuse(codeArchive, "%s", err.Error())
	}
	return reply{}, err
}

func archiveView(done *replay.Imported) client.ArchiveResult {
	v := client.ArchiveResult{Letters: done.Letters, Stored: done.Stored}
	for _, f := range done.Invalid {
		v.Errors = append(v.Errors, client.LineError{Line: f.Line, Code: push.FaultValue, Detail: f.Why})
	}
	return v
}
