package message_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/message"
)

func TestTitle(t *testing.T) {
	t.Parallel()
	for m, want := range map[string]string{
		`{"notification":{"title":"all","body":"b"},"android":{"notification":{"title":"android"}}}`: "all",
		`{"android":{"notification":{"title":"android"}},"webpush":{"notification":{"title":"w"}}}`:  "android",
		`{"apns":{"payload":{"aps":{"alert":{"title":"ios","body":"b"}}}}}`:                          "ios",
		`{"apns":{"payload":{"aps":{"alert":"a text"}}}}`:                                            "",
		`{"apns":{"payload":{"aps":{"alert":"a text"}}},"webpush":{"notification":{"title":"web"}}}`: "web",
		`{"data":{"title":"not shown"}}`:                                                             "",
		`{"notification":{}}`:                                                                        "",
		`{}`:                                                                                         "",
		`[]`:                                                                                         "",
	} {
		if got := message.Title([]byte(m)); got != want {
			t.Errorf("title of %s: %q, want %q", m, got, want)
		}
	}
}
