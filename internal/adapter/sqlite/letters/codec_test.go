package letters

import (
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

// A letter's body that is cut anywhere, or of another format, is an error and
// never another letter.
func TestLetterBodyIsChecked(t *testing.T) {
	t.Parallel()
	l := push.Letter{Detail: "why", Labels: map[string]string{"a": "b"}, Body: []byte("body")}
	l.Recipient.Data = map[string]string{"k": "v"}
	whole := encodeLetter(&l)
	var back push.Letter
	if err := decodeLetter(&back, whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := decodeLetter(new(push.Letter), whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a letter", n, len(whole))
		}
	}
	if err := decodeLetter(new(push.Letter), append(whole, 0)); err == nil {
		t.Error("a byte too many was taken")
	}
	whole[0]++
	if err := decodeLetter(new(push.Letter), whole); err == nil {
		t.Error("another format was taken")
	}
}
