package operations

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// embedded returns a data directory that was in use.
func embedded(t *testing.T) config.Store {
	t.Helper()
	c := config.Store{Backend: config.BackendEmbedded, Data: t.TempDir(), Visibility: 30 * time.Second}
	b, err := app.Opener(c, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// A data directory is copied, the copy opens, and what its queues lost is given up.
func TestBackupAndRepair(t *testing.T) {
	t.Parallel()
	store, to := embedded(t), filepath.Join(t.TempDir(), "copy")
	made, err := Operations{}.Backup(t.Context(), config.Backup{Store: store}, to, func(int64, int64) {})
	if err != nil || len(made.Files) == 0 {
		t.Fatalf("%+v, %v", made, err)
	}
	store.Data = to
	if err := (Operations{}).Repair(t.Context(), config.Repair{Store: store, Lost: config.LostMessages}); err != nil {
		t.Error(err)
	}
	if err := (Operations{}).Repair(t.Context(), config.Repair{Store: store, Lost: "pages.db"}); err == nil {
		t.Error("a file that is there was given up")
	}
}

// The doctor calls FCM as a service would, and says that it has no credentials or that
// nobody answers.
func TestDoctorAsksFCM(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fcm  config.FCM
		want string
	}{
		{"no credentials", config.FCM{Endpoint: "https://fcm.googleapis.com/v1"}, "no credentials are set"},
		{"nobody listens", config.FCM{Endpoint: "http://127.0.0.1:1/v1"}, "could not be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := Operations{}.Doctor(t.Context(), config.Doctor{Store: embedded(t), FCM: c.fcm})
			var said []string
			for _, result := range r.Results {
				if result.Status != doctor.StatusOK {
					said = append(said, result.Name+": "+result.Detail)
				}
			}
			if !strings.Contains(strings.Join(said, "\n"), c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
}

// What is meant for stand-ins touches no account of AWS.
func TestStandInsOnly(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "none")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "none")
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "")
	if err := ProvisionStandIns(t.Context(), config.AWS{Prefix: "belfry"}); !errors.Is(err, errRealAccount) {
		t.Errorf("error %v", err)
	}
}
