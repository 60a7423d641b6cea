package protojson

import (
	"strings"
	"testing"
)

func TestDecodeReadsTheRequest(t *testing.T) {
	t.Parallel()
	body := `{"validate_only":true,"message":{"data":{"token":"decoy","belfry_id":"ntf_1"},"token":"tok"}}`
	got, refusal := Decode(Schema(), []byte(body))
	if refusal != nil {
		t.Fatalf("%+v", refusal)
	}
	at := strings.Index(body, `"tok"`) + 1
	want := Request{ValidateOnly: true, Target: TargetToken, Address: "tok", Start: at, End: at + 3, BelfryID: "ntf_1"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTargetsHaveNames(t *testing.T) {
	t.Parallel()
	for k := TargetNone; k <= TargetCondition; k++ {
		if k.String() == "unknown" {
			t.Errorf("target %d has no name", k)
		}
	}
}
