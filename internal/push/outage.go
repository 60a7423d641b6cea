package push

import (
	"context"
	"errors"
	"time"
)

// Outage is why a store, a queue or a topic cannot do now what it may well do
// a little later. Drivers classify their errors by table, once, at the edge:
// whoever gets one waits, or tells its own caller to come back.
type Outage string

// The closed set of outages.
const (
	OutageBusy      Outage = "busy"      // another process has the lock and keeps it
	OutageFull      Outage = "full"      // no room on the disk
	OutageReadOnly  Outage = "read_only" // it may be read and not written
	OutageThrottled Outage = "throttled" // asked faster than it allows
	OutageTimeout   Outage = "timeout"   // no answer in time; the write may have happened
	OutageDown      Outage = "down"      // no connection, or its own failure; the write may have happened
	OutageAccess    Outage = "access"    // it does not take this process's credentials, or its clock, at the moment
	OutageClosing   Outage = "closing"   // this process is stopping
)

// RetryAfter returns how long to wait at least before the same is tried again,
// in whole seconds: short where others only need to finish, longer where
// somebody has to do something.
func (o Outage) RetryAfter() time.Duration {
	switch o {
	case OutageBusy, OutageClosing:
		return time.Second
	case OutageThrottled, OutageTimeout:
		return 2 * time.Second
	case OutageDown:
		return 5 * time.Second
	case OutageFull, OutageReadOnly, OutageAccess:
		return 10 * time.Second
	}
	return time.Second
}

// OutageError is an error with the outage that it means. It reads as its cause.
type OutageError struct {
	Outage Outage
	Err    error
}

// Error implements error.
func (e *OutageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *OutageError) Unwrap() error { return e.Err }

// WithOutage marks err as an outage. It returns err as it is when o is "", when
// err is nil, and when it is marked already: who is closest to the fault knows
// best.
func WithOutage(o Outage, err error) error {
	if o == "" || err == nil {
		return err
	}
	if _, marked := errors.AsType[*OutageError](err); marked {
		return err
	}
	return &OutageError{Outage: o, Err: err}
}

// OutageOf returns the outage that err means, "" for none: a caller's fault, a
// condition that did not hold, a fault of ours. A deadline that has passed is
// OutageTimeout, whoever set it.
func OutageOf(err error) Outage {
	if e, ok := errors.AsType[*OutageError](err); ok {
		return e.Outage
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return OutageTimeout
	}
	return ""
}
