package push

import (
	"testing"
	"time"
)

func TestOlderAnswersDoNotReplaceNewerOnes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	d := Device{State: DeviceActive, LastSuccessAt: at, LastFailureAt: at, LastFailure: CodeNetReset}
	(&DeviceNote{Code: CodeSent, At: at.Add(-time.Second)}).Apply(&d)
	(&DeviceNote{Code: CodeExpired, At: at.Add(-time.Second)}).Apply(&d)
	if !d.LastSuccessAt.Equal(at) || !d.LastFailureAt.Equal(at) || d.LastFailure != CodeNetReset {
		t.Errorf("after older answers: %+v", d)
	}
	(&DeviceNote{Code: CodeSent, At: at.Add(time.Second)}).Apply(&d)
	(&DeviceNote{Code: CodeExpired, At: at.Add(time.Minute)}).Apply(&d)
	if !d.LastSuccessAt.Equal(at.Add(time.Second)) || !d.LastFailureAt.Equal(at.Add(time.Minute)) || d.LastFailure != CodeExpired {
		t.Errorf("after newer answers: %+v", d)
	}
}
