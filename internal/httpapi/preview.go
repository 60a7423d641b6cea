package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// preview shows a notification that is only checked as it would go out at the time now, and
// to whom.
func (a acceptance) preview(ctx context.Context, n *push.Notification, now time.Time, view *client.Notification) error {
	whom, err := a.previews.Preview(ctx, n)
	if err != nil {
		return fmt.Errorf("look up whom it would go to: %w", err)
	}
	out, err := n.Outgoing(now)
	if err != nil {
		return err
	}
	tree, err := message.Decode(out)
	if err != nil {
		return err
	}
	view.Message, view.Recipients = json.RawMessage(out), int64(whom.Rows)
	view.Preview = previewView(&whom)
	view.Preview.Sizes = sizesView(message.Measure(tree), n.Target.Audience())
	view.Preview.NotChecked = notChecked(&n.Target)
	return nil
}

func previewView(p *fanout.Preview) *client.Preview {
	sends := 0
	for _, n := range p.Sends {
		sends += n
	}
	return &client.Preview{
		Sends: int64(sends),
		ByPlatform: client.PlatformCounts{
			Android: int64(p.Sends[push.PartAndroid]), IOS: int64(p.Sends[push.PartIOS]), Web: int64(p.Sends[push.PartWeb]),
			Unknown: int64(p.Sends[push.PartUnknown]), Topic: int64(p.Sends[push.PartTopic]),
		},
		Unrecorded: int64(p.Unrecorded), Quarantined: int64(p.Quarantined), Duplicates: int64(p.Duplicates),
		NoDevice: int64(p.NoDevice), NoDeviceNames: p.Deviceless,
	}
}

func sizesView(s message.Sizes, audience bool) []client.MessageSize {
	limit := message.LimitOf(audience)
	return []client.MessageSize{
		{Platform: client.PlatformAndroid, Bytes: s.Android, Limit: limit},
		{Platform: client.PlatformIOS, Bytes: s.APNs, Limit: limit},
		{Platform: client.PlatformWeb, Bytes: s.Web, Limit: limit},
	}
}

// notChecked says what only a send to the target shows.
func notChecked(to *push.Target) []string {
	words := []string{
		"whether FCM accepts the message",
		"whether the credential is valid and may send for the project",
		"FCM's quotas, and whether FCM is up",
	}
	if to.Audience() {
		return append([]string{"how many devices subscribe: only FCM knows a topic's subscribers"}, words...)
	}
	return append([]string{"whether FCM accepts the tokens: only a send shows which are dead"}, words...)
}
