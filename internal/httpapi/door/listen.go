package door

import (
	"net/http"
	"time"

	"go.uber.org/zap"
)

// NewServer returns a server of h with limits for what a client may do slowly.
// Handlers move the read and write deadlines of streams along as they go. What
// net/http itself has to say goes to log. The caller sets nothing but the
// listener, and calls Shutdown.
func NewServer(h http.Handler, log *zap.Logger) *http.Server {
	const maxHeader = 16 << 10
	errors, _ := zap.NewStdLogAt(log.Named("http"), zap.WarnLevel) // fails for a level that does not exist
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      bodyPatience + requestTime + onceStore + writePatience, // from the end of the header; begun anew with every request
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          errors,
	}
}
