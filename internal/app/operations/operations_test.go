package operations

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

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
	original := store
	store.Data = to
	if err := (Operations{}).Repair(t.Context(), config.Repair{Store: store, Lost: config.LostMessages}); err != nil {
		t.Error(err)
	}
	if err := (Operations{}).Repair(t.Context(), config.Repair{Store: store, Lost: "pages.db"}); err == nil {
		t.Error("a file that is there was given up")
	}
	if got := recorded(t, original); !slices.Equal(got, []string{"backup"}) {
		t.Errorf("the audit log of what was copied has %q", got)
	}
	if got := recorded(t, store); !slices.Equal(got, []string{"repair", "restored"}) {
		t.Errorf("the audit log of the copy has %q", got)
	}
}

// recorded are the actions in the audit log, the last first. Each is by the user of this process, from this machine, with
// a reason.
func recorded(t *testing.T, c config.Store) (actions []string) {
	t.Helper()
	b, err := app.Opener(c, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(context.Background()) }()
	all, _, err := journal.NewReader(b.Store).List(t.Context(), access.DefaultName, &journal.Filter{}, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	for _, e := range all {
		if e.Who.Name != "local:"+app.LocalUser("belfry") || e.From != host || e.Target.ID != c.Data || e.Reason == "" {
			t.Errorf("entry %+v", e)
		}
		actions = append(actions, e.Action)
	}
	return actions
}

// A directory of an older version is copied without being changed: opening it to record that would bring it to this one.
func TestBackupOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	store := embedded(t)
	db, err := sql.Open("sqlite", filepath.Join(store.Data, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM migration WHERE version = (SELECT max(version) FROM migration)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := sqlite.Current(t.Context(), store.Data); now || err != nil {
		t.Fatalf("it is of this version: %v, %v", now, err)
	}
	if _, err := (Operations{}).Backup(t.Context(), config.Backup{Store: store}, filepath.Join(t.TempDir(), "copy"), nil); err != nil {
		t.Fatal(err)
	}
	if now, err := sqlite.Current(t.Context(), store.Data); now || err != nil {
		t.Errorf("the backup has changed it: %v, %v", now, err)
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
