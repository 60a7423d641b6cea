package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// uploadPage draws a page in which any line may be good, bad, or blank.
func uploadPage(t *rapid.T) wire.UploadPage {
	p := wire.UploadPage{First: rapid.Int64Range(1, 1<<40).Draw(t, "first")}
	n := rapid.Int64Range(1, 30).Draw(t, "lines")
	p.Last = p.First + n - 1
	for line := p.First; line <= p.Last; line++ {
		switch rapid.IntRange(0, 4).Draw(t, "line") {
		case 0:
			p.Refused = append(p.Refused, wire.RefusedLine{Line: line, Fault: push.Fault{
				Pointer: "/" + rapid.String().Draw(t, "pointer"), Code: push.FaultUnknown, Detail: rapid.String().Draw(t, "detail"),
			}})
		case 1:
			p.Recipients = append(p.Recipients, push.Recipient{Line: line, UserID: rapid.String().Draw(t, "user")})
		case 2:
			kind := rapid.SampledFrom([]push.Kind{push.KindToken, push.KindFID}).Draw(t, "kind")
			p.Recipients = append(p.Recipients, push.Recipient{
				Line: line, Address: push.Address{Kind: kind, Value: "v"}, Locale: "de", CollapseID: "c",
				Data: rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "data"),
			})
		case 3:
			p.Recipients = append(p.Recipients, push.Recipient{Line: line, Address: push.Address{Kind: push.KindToken, Value: "plain"}})
		}
	}
	return p
}

func TestUploadPageRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := uploadPage(t)
		data, err := wire.EncodeUploadPage(&p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.DecodeUploadPage(data)
		if d := cmp.Diff(p, got, cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Fatalf("%v: %s", err, d)
		}
		rs, err := wire.DecodeRecipients(data)
		if d := cmp.Diff(p.Recipients, rs, cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Fatalf("as plain recipients: %v: %s", err, d)
		}
		again, err := wire.EncodeUploadPage(&got)
		if err != nil || !bytes.Equal(data, again) {
			t.Fatalf("the same page became other bytes: %v", err)
		}
	})
}

func TestUploadPageForeign(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"not JSON":                   `{`,
		"another type":               `{"v":1,"type":"task"}`,
		"a page of recipients":       `{"v":1,"type":"recipients","values":[]}`,
		"a range backwards":          `{"v":1,"type":"recipients","values":[],"first_line":5,"last_line":4}`,
		"a line before the range":    `{"v":1,"type":"recipients","kind":"token","values":["a"],"first":4,"first_line":5,"last_line":9}`,
		"a line behind the range":    `{"v":1,"type":"recipients","kind":"token","values":["a","b"],"first":9,"first_line":5,"last_line":9}`,
		"lines that do not ascend":   `{"v":1,"type":"recipients","kind":"token","values":["a","b"],"lines":[6,6],"first_line":5,"last_line":9}`,
		"a refused line outside":     `{"v":1,"type":"recipients","values":[],"first_line":5,"last_line":9,"refused":[{"line":10}]}`,
		"fewer lines than addresses": `{"v":1,"type":"recipients","kind":"token","values":["a","b"],"lines":[6],"first_line":5,"last_line":9}`,
	} {
		if _, err := wire.DecodeUploadPage([]byte(data)); !errors.Is(err, wire.ErrForeign) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := wire.DecodeUploadPage([]byte(`{"v":2,"type":"recipients","first_line":1,"last_line":1}`))
	if !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("of a newer version: got %v", err)
	}
}

func FuzzDecodeUploadPage(f *testing.F) {
	p := wire.UploadPage{First: 3, Last: 5, Recipients: []push.Recipient{{Line: 4, UserID: "ü"}}, Refused: []wire.RefusedLine{{Line: 5}}}
	seed, err := wire.EncodeUploadPage(&p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := wire.DecodeUploadPage(data)
		if err != nil {
			return
		}
		again, err := wire.EncodeUploadPage(&p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.DecodeUploadPage(again); err != nil {
			t.Fatalf("what was read can't be read again: %v", err)
		}
	})
}
