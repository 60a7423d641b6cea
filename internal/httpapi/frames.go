package httpapi

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// frames keeps the newest events of each notification that is watched, so that a
// thousand watchers cost one encoding and one copy. Safe for concurrent use.
type frames struct {
	mu   sync.Mutex
	kept map[push.ID]frame
}

// frame is the encoded events of one view.
type frame struct {
	state []byte // for those who were told another state last
	rest  []byte

	revision int64
	waiting  *report.Waiting
	made     time.Time
}

// Rate and ETA change with time, so a frame is good for a second.
const frameKeep = time.Second

// of returns the frame of a view.
func (fs *frames) of(v *report.View, now time.Time) (frame, error) {
	id := v.Notification.ID
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f, ok := fs.kept[id]
	if ok && f.revision == v.Revision && f.waiting == v.Waiting && now.Sub(f.made) < frameKeep {
		return f, nil
	}
	f, err := newFrame(v, now)
	if err != nil {
		return f, err
	}
	const most = 256 // of a few kilobytes each; they are made again where they are wanted
	if fs.kept == nil || len(fs.kept) >= most {
		fs.kept = map[push.ID]frame{}
	}
	fs.kept[id] = f
	return f, nil
}

func newFrame(v *report.View, now time.Time) (frame, error) {
	body, err := door.Encode(fullView(v, now))
	if err != nil {
		return frame{}, err
	}
	state, err := door.Encode(client.StateChange{ID: string(v.Notification.ID), State: client.State(v.State)})
	if err != nil {
		return frame{}, err
	}
	id := strconv.FormatInt(v.Revision, 10)
	event := func(id, name string, data []byte) []byte {
		return fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n", id, name, data) // encode ends the line of data
	}
	f := frame{
		state: event(id, client.EventState, state), rest: event(id, client.EventProgress, body), revision: v.Revision, waiting: v.Waiting,
		made: now,
	}
	if v.Done() {
		f.rest = append(f.rest, event(id+doneSuffix, client.EventDone, body)...)
	}
	return f, nil
}
