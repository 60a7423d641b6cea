package message

import "encoding/json"

// titled is the part of a message that a person knows it by.
type titled struct {
	Notification shownTitle `json:"notification"`
	Android      struct {
		Notification shownTitle `json:"notification"`
	} `json:"android"`
	APNS struct {
		Payload struct {
			APS struct {
				Alert json.RawMessage `json:"alert"` // an object, or a text without a title
			} `json:"aps"`
		} `json:"payload"`
	} `json:"apns"`
	Webpush struct {
		Notification shownTitle `json:"notification"`
	} `json:"webpush"`
}

type shownTitle struct {
	Title string `json:"title"`
}

// Title returns the title that a stored message shows: the common one, or else that of
// Android, iOS or the web, in this order. It is "" for a message that shows none, such as
// one of data alone.
func Title(m []byte) string {
	var t titled
	if json.Unmarshal(m, &t) != nil {
		return ""
	}
	var alert shownTitle
	if json.Unmarshal(t.APNS.Payload.APS.Alert, &alert) != nil {
		alert.Title = ""
	}
	for _, title := range []string{t.Notification.Title, t.Android.Notification.Title, alert.Title, t.Webpush.Notification.Title} {
		if title != "" {
			return title
		}
	}
	return ""
}
