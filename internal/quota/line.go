package quota

import (
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// lines say when who waits for a quota has his turn, as well as this process knows: each behind those before him, for as
// long as the quota needs for them. So thousands that wait come back one after the other, and not all at once again and
// again. It is a guess: the quota itself says who may start. Safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	last map[string]turn // of the last one in the line of somebody
}

// turn is when somebody is next, and which quota he waits for.
type turn struct {
	at    time.Time
	quota push.Quota
}

// maxLines bounds the lines that are remembered.
const maxLines = 10_000

// join puts somebody who is over a quota into a line, and returns how long he waits.
func (l *lines) join(name string, now time.Time, over *push.OverQuotaError) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.Add(over.RetryAfter())
	if behind := l.last[name].at.Add(each(over.Quota, over.Wanted, over.Limit)); behind.After(at) {
		at = behind
	}
	if len(l.last) >= maxLines {
		clear(l.last)
	}
	l.last[name] = turn{at, over.Quota}
	return at.Sub(now)
}

// each returns how long a quota that is refilled needs for n.
func each(q push.Quota, n, limit int64) time.Duration {
	if q != push.QuotaNotifications {
		return 0
	}
	return time.Duration(float64(n) / float64(limit) * float64(time.Minute))
}

// follow reports whether somebody waits in a line, and for which quota, and puts one more behind him, who takes so long.
func (l *lines) follow(name string, now time.Time, takes time.Duration) (push.Quota, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.last[name]
	if !t.at.After(now) {
		return "", false
	}
	l.last[name] = turn{t.at.Add(takes), t.quota}
	return t.quota, true
}
