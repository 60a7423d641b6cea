package deadletters

import (
	"context"
	"errors"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
)

// typeZstd is the media type of a zstd stream (RFC 8878 §7.1).
const typeZstd = "application/zstd"

// exportLetters streams an archive, compressed for a client that says it takes
// that (RFC 9110 §12.5.3): then the bytes as they come are the archive, too. What
// fails before the first piece is still a problem; what fails later cuts the
// archive off, which its reader notices.
func (h *letterHandlers) exportLetters(ctx context.Context, x *door.Exchange) error {
	f, err := listed(x)
	if err != nil {
		return err
	}
	x.Header().Set("Vary", "Accept-Encoding")
	out := x.Pieces(door.TypeNDJSON)
	write := h.letters.ExportPlain
	if door.WantsZstd(x.Request.Header) {
		out.Head.Set("Content-Encoding", "zstd")
		write = h.letters.Export
	}
	if x.Request.Method == http.MethodHead {
		return out.Begin()
	}
	_, err = write(ctx, f, out)
	return err
}

// importLetters takes letters of every tenant: an archive says itself whose they
// are.
func (h *letterHandlers) importLetters(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.Stream()
	if err != nil {
		return door.Reply{}, err
	}
	defer body.Close()
	done, err := h.letters.Import(ctx, body)
	if err == nil {
		return door.Reply{Status: http.StatusOK, Body: archiveView(&done)}, nil
	}
	if why := body.Broken(); why != nil {
		return door.Reply{}, door.Refuse(why.Code, "%s: the import broke off with %d letters stored: send it again", why.Detail, done.Stored).By(
			err,
		)
	}
	if errors.Is(err, push.ErrNewerSchema) {
		return door.Reply{}, door.Refuse(door.CodeArchive, "%s", err.Error())
	}
	return door.Reply{}, err
}

func archiveView(done *letters.Imported) client.ArchiveResult {
	v := client.ArchiveResult{Letters: done.Letters, Stored: done.Stored}
	for _, f := range done.Invalid {
		v.Errors = append(v.Errors, client.LineError{Line: f.Line, Code: push.FaultValue, Detail: f.Why})
	}
	return v
}
