package provision

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// bucketOf makes the bucket alone and returns what drives it.
func bucketOf(t *testing.T, g ground) (bucketDriver, part) {
	t.Helper()
	d := bucketDriver{g.clients.S3, g.state().Bucket}
	if _, err := d.create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, part{Resource: Resource{KindBucket, d.bucket.Name, d.bucket.Attributes()}, driver: d, standIn: true}
}

// texts are the rules that a bucket has, by id.
func texts(t *testing.T, d bucketDriver) map[string]string {
	t.Helper()
	now, err := d.lifecycle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range now.Rules {
		all[aws.ToString(r.ID)] = ruleText(r)
	}
	return all
}

func ours(d bucketDriver) map[string]string {
	all := map[string]string{}
	for _, r := range d.bucket.Rules {
		all[r.ID] = r.String()
	}
	return all
}

// All rules are one write, although S3 shows it only some reads later; three
// writes, each made of what was read before, would leave the last rule alone.
func TestRulesAreOneWrite(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	store := g.withRules(t, 3)
	d, p := bucketOf(t, g)
	var names []string
	for _, r := range d.bucket.Rules {
		names = append(names, attrRule+r.ID)
	}
	step := Step{Exists: true, Changes: additions(d.bucket.Attributes(), nil)}
	if err := p.apply(t.Context(), &step, false); err != nil {
		t.Fatal(err)
	}
	if store.puts != 1 {
		t.Errorf("%d rules took %d writes, want 1", len(names), store.puts)
	}
	if diff := cmp.Diff(ours(d), texts(t, d)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	again := p.look(t.Context())
	for _, c := range again.Step.Changes {
		if strings.HasPrefix(c.Attribute, attrRule) {
			t.Errorf("a second look finds %+v", c)
		}
	}
}

// What operators wrote themselves stays: their rules in either form, a rule of
// ours that they changed unless told, and the size from which on objects move.
func TestOthersRulesStay(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	store := g.withRules(t, 1)
	d, p := bucketOf(t, g)
	archive := types.LifecycleRule{
		ID: aws.String("archive"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("exports/")},
		Transitions: []types.Transition{{Days: aws.Int32(40), StorageClass: types.TransitionStorageClassGlacier}},
	}
	older := types.LifecycleRule{
		ID: aws.String("older"), Status: types.ExpirationStatusEnabled, Expiration: &types.LifecycleExpiration{Days: aws.Int32(9)},
		Prefix: aws.String("tmp/"), //nolint:staticcheck // what consoles wrote before filters
	}
	longer := Rule{ID: "belfry-pages", Prefix: "pages/", ExpireDays: 400}
	_, err := d.client.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &d.bucket.Name, TransitionDefaultMinimumObjectSize: types.TransitionDefaultMinimumObjectSizeVariesByStorageClass,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{archive, older, longer.lifecycle()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = texts(t, d) // shown from the next read on
	for _, force := range []bool{false, true} {
		f := p.look(t.Context())
		if f.Err != nil {
			t.Fatal(f.Err)
		}
		for i := range f.Step.Changes { // as AWS would: the front knows them
			if c := &f.Step.Changes[i]; strings.HasPrefix(c.Attribute, attrRule) && c.Effect == EffectUnsupported {
				c.Effect = EffectAdd
			}
		}
		if err := p.apply(t.Context(), &f.Step, force); err != nil {
			t.Fatal(err)
		}
		want := ours(d)
		want["archive"], want["older"] = ruleText(archive), "tmp/: expire after 9 days"
		if !force {
			want["belfry-pages"] = longer.String()
		}
		if diff := cmp.Diff(want, texts(t, d)); diff != "" {
			t.Errorf("force %v: rules (-want +got):\n%s", force, diff)
		}
	}
	now, err := d.lifecycle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if now.Rules[0].Transitions[0].StorageClass != types.TransitionStorageClassGlacier {
		t.Errorf("the operator's transition became %+v", now.Rules[0])
	}
	if store.size != string(types.TransitionDefaultMinimumObjectSizeVariesByStorageClass) {
		t.Errorf("objects move from %q on, want what the operator chose", store.size)
	}
}

// A write that somebody else's replaced is not reported as done.
func TestRulesAreReadBack(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	store := g.withRules(t, 0)
	d, _ := bucketOf(t, g)
	store.late = 1 << 30                                           // never shown
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // the write needs part of it
	defer cancel()
	err := d.setRules(ctx, []string{attrRule + "belfry-pages"})
	if err == nil || !strings.Contains(err.Error(), "belfry-pages, belfry-reports, belfry-uploads were written and cannot be read back") {
		t.Errorf("error %v, want the rules that are not there", err)
	}
}
