package provision

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestPolicyKeepsOthersStatements(t *testing.T) {
	t.Parallel()
	mine := Statement{ID: "Mine", JSON: `{"Effect":"Allow","Sid":"Mine"}`}
	for _, c := range []struct{ name, now, want string }{
		{"none", "", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Sid":"Mine"}]}`},
		{
			"one, not in a list", `{"Version":"2008-10-17","Id":"x","Statement":{"Sid":"B"}}`,
			`{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"B"},{"Effect":"Allow","Sid":"Mine"}]}`,
		},
		{
			"replaced", `{"Version":"2012-10-17","Statement":[{"Sid":"Mine","Effect":"Deny"},{"Sid":"B"}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Sid":"Mine"},{"Sid":"B"}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := parsePolicy(c.now)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, mustCanonical(p.with(mine))); d != "" {
				t.Errorf("policy (-want +got):\n%s", d)
			}
			if got := p.with(mine).find("Mine"); got != mine.JSON {
				t.Errorf("find = %s", got)
			}
		})
	}
	for _, bad := range []string{"{", `{"Statement":7}`, `[]`} {
		if _, err := parsePolicy(bad); err == nil {
			t.Errorf("policy %s is taken", bad)
		}
	}
}

func TestRedriveText(t *testing.T) {
	t.Parallel()
	const want = `{"deadLetterTargetArn":"arn:x","maxReceiveCount":10}`
	for _, text := range []string{want, `{ "maxReceiveCount" : "10", "deadLetterTargetArn":"arn:x"}`} {
		if got := redriveText(text); got != want {
			t.Errorf("redriveText(%s) = %s", text, got)
		}
	}
	for _, odd := range []string{"", "{}", "nonsense"} {
		if got := redriveText(odd); got != odd {
			t.Errorf("redriveText(%q) = %q", odd, got)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	want := []Attribute{
		{Name: "same", Value: "1"},
		{Name: "unset", Value: "1"},
		{Name: "other", Value: "1"},
		{Name: "key", Value: "id", Fixed: true},
		{Name: "vital", Value: "1", Vital: true},
	}
	have := map[string]string{"same": "1", "other": "2", "key": "pk"}
	for standIn, unset := range map[bool]Effect{false: EffectAdd, true: EffectUnsupported} {
		got := diff(want, have, standIn)
		expect := []Change{
			{Attribute: "unset", To: "1", Effect: unset},
			{Attribute: "other", From: "2", To: "1", Effect: EffectReplace},
			{Attribute: "key", From: "pk", To: "id", Effect: EffectImpossible},
			{Attribute: "vital", To: "1", Effect: EffectAdd, Vital: true},
		}
		if d := cmp.Diff(expect, got); d != "" {
			t.Errorf("stand-in %v (-want +got):\n%s", standIn, d)
		}
	}
}

// A rule reads back as what it was made from.
func TestRuleRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range Desired("p", StandInAccount("us-east-1"), Options{}).Bucket.Rules {
		if got := ruleText(r.lifecycle()); got != r.String() {
			t.Errorf("%s reads back as %q, want %q", r.ID, got, r)
		}
	}
	off := Rule{ID: "x", Prefix: "a/", ExpireDays: 3}.lifecycle()
	off.Status, off.ID = types.ExpirationStatusDisabled, aws.String("x")
	if got := ruleText(off); got != "a/: expire after 3 days (disabled)" {
		t.Errorf("a disabled rule reads %q", got)
	}
}
