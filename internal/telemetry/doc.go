// Package telemetry is how a Belfry process is seen from outside: its log, its
// metrics registry, its health and the W3C trace context that a notification
// carries from the producer to FCM.
//
// It knows nothing of notifications, opens no socket and exports nothing by
// itself: internal/httpapi mounts what is built here, and internal/app hands
// the logger and the registry to the rooms. It holds no globals.
package telemetry
