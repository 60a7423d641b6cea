package access_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
)

func TestApproval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, ctx := directory(), t.Context()
		act := &access.Act{Action: access.ActCredential, About: "change it", Request: []byte("a")}
		key := func(by string) *access.Caller {
			_, k, err := d.CreateKey(ctx, access.DefaultName, access.NewKey{Role: access.RoleOwner}, access.AllPermissions(), by)
			if err != nil {
				t.Fatal(err)
			}
			return &access.Caller{Tenant: access.DefaultName, Name: k.Label(), Key: k.ID, May: access.AllPermissions()}
		}
		ada, bob := key("first"), key("first")
		puppet := key(ada.Name)
		a := must[access.Approval](t)(d.AskApproval(ctx, ada, act))
		time.Sleep(time.Minute)
		late := key("first")
		for name, c := range map[string]*access.Caller{"who asked": ada, "a key that this one made": puppet, "a key made since": late} {
			if _, err := d.Decide(ctx, c, a.ID, true); !errors.As(err, new(push.Faults)) {
				t.Errorf("%s approves: %v", name, err)
			}
		}
		if err := d.UseApproval(ctx, ada, a.ID, act); !errors.As(err, new(*push.StateError)) {
			t.Errorf("used before it is approved: %v", err)
		}
		must[access.Approval](t)(d.Decide(ctx, bob, a.ID, true))
		if _, err := d.Decide(ctx, bob, a.ID, false); !errors.As(err, new(*push.StateError)) {
			t.Errorf("decided twice: %v", err)
		}
		other := *act
		other.Request = []byte("b")
		if err := d.UseApproval(ctx, ada, a.ID, &other); !errors.As(err, new(push.Faults)) {
			t.Errorf("used for another request: %v", err)
		}
		if err := d.UseApproval(ctx, ada, a.ID, act); err != nil {
			t.Error(err)
		}

		b := must[access.Approval](t)(d.AskApproval(ctx, ada, act))
		must[access.Approval](t)(d.Decide(ctx, bob, b.ID, true))
		time.Sleep(access.ApprovalTime)
		if err := d.UseApproval(ctx, ada, b.ID, act); !errors.As(err, new(*push.StateError)) || b.ID == a.ID {
			t.Errorf("used after its end: %v", err)
		}
		if n, err := d.ForgetApprovals(ctx, time.Now().Add(time.Second)); n != 2 || err != nil {
			t.Errorf("%d forgotten (%v), want 2", n, err)
		}
		if all := must[[]access.Approval](t)(d.Approvals(ctx, access.DefaultName)); len(all) != 0 {
			t.Errorf("left: %+v", all)
		}
	})
}
