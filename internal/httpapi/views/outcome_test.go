package views_test

import (
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
)

// TestParams: deliveries and dead letters are chosen by codes that they can have,
// and by no other: a filter by another one would find nothing, or everything.
func TestParams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		params        []door.Param
		can, cannot   []push.Code
		classes, none []push.Class
	}{
		{
			"deliveries", views.OutcomeParams(),
			[]push.Code{
				push.CodeOpen, push.CodeSent, push.CodeFCMUnregistered, push.CodeUnknown,
				push.CodeExpired, push.CodeAttemptsExhausted, push.CodePoison,
			},
			[]push.Code{push.CodeFCMUnavailable, push.CodeNetTimeout, push.CodeUserOptedOut, push.CodeCapFrequency},
			[]push.Class{push.ClassOpen, push.ClassSent, push.ClassAmbiguous, push.ClassSuppressed},
			[]push.Class{push.ClassRetryable},
		},
		{
			"letters", views.LetterParams(),
			[]push.Code{
				push.CodeFCMUnavailable, push.CodeNetTimeout, push.CodeFCMSenderIDMismatch,
				push.CodeAttemptsExhausted, push.CodePoison, push.CodeUndelivered,
			},
			[]push.Code{
				push.CodeOpen, push.CodeSent, push.CodeUnknown, push.CodeExpired,
				push.CodeCancelled, push.CodeDuplicate, push.CodeCapFrequency,
			},
			[]push.Class{push.ClassRetryable, push.ClassAmbiguous, push.ClassPermanent, push.ClassDeadLettered},
			[]push.Class{push.ClassOpen, push.ClassSent, push.ClassSuppressed, push.ClassExpired, push.ClassCancelled},
		},
	} {
		for _, code := range c.can {
			if !slices.Contains(c.params[1].Choices, code.String()) {
				t.Errorf("%s cannot be chosen by the code %s", c.name, code)
			}
		}
		for _, code := range c.cannot {
			if slices.Contains(c.params[1].Choices, code.String()) {
				t.Errorf("%s never have the code %s, and it is offered", c.name, code)
			}
		}
		for _, class := range c.classes {
			if !slices.Contains(c.params[0].Choices, class.String()) {
				t.Errorf("%s cannot be chosen by the class %s", c.name, class)
			}
		}
		for _, class := range c.none {
			if slices.Contains(c.params[0].Choices, class.String()) {
				t.Errorf("%s never have the class %s, and it is offered", c.name, class)
			}
		}
	}
}
