package privacy

import (
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

// TestScrubReplacesValues: and neither names of fields, nor parts of texts, nor the order.
func TestScrubReplacesValues(t *testing.T) {
	t.Parallel()
	p := newPerson(&Request{
		ID: "prv_1", Subject: Subject{UserID: "values"}, Found: []push.Address{{Kind: push.KindToken, Value: "a<b"}},
	}, &Keys{})
	got := string(p.scrub([]byte(`{"values":["values","a\u003cb","values!"],"x":{"values" : "values"}}`)))
	if want := `{"values":["erased:prv_1","erased:prv_1","values!"],"x":{"values" : "erased:prv_1"}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
