package db

import (
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"syscall"

	driversqlite "modernc.org/sqlite"

	"github.com/belfry-push/belfry/internal/push"
)

// SQLite's primary result codes (https://www.sqlite.org/rescode.html).
const (
	codePerm     = 3
	codeBusy     = 5
	codeLocked   = 6
	codeNoMem    = 7
	codeReadOnly = 8
	codeIOErr    = 10
	codeFull     = 13
	codeCantOpen = 14
	codeProtocol = 15 // two processes raced to start the log
	codeNoLFS    = 22
)

// outageOf maps an error to its outage: the codes of SQLite, and the errors of the operating
// system, that may end by themselves or through an operator. A damaged file (CORRUPT, NOTADB) and a
// programming error (CONSTRAINT, MISUSE, SCHEMA…) are not outages.
func outageOf(err error) push.Outage {
	if e, ok := errors.AsType[*driversqlite.Error](err); ok {
		switch e.Code() & 0xff { // the primary code of an extended one
		case codeBusy, codeLocked, codeProtocol:
			return push.OutageBusy
		case codeFull:
			return push.OutageFull
		case codeReadOnly, codePerm:
			return push.OutageReadOnly
		case codeIOErr, codeCantOpen, codeNoMem, codeNoLFS:
			return push.OutageDown
		}
		return ""
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return push.OutageFull
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return push.OutageReadOnly
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return push.OutageDown
	}
	return ""
}

// marked returns err with its outage, if it means one. What database/sql looks
// for by identity stays as it is.
func marked(err error) error {
	if err == nil || err == io.EOF || err == driver.ErrBadConn { //nolint:errorlint // compared as database/sql does
		return err
	}
	return push.WithOutage(outageOf(err), err)
}
