package devices

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/push"
)

// openStore opens a store that has a file of its own, for the time of the test.
func openStore(tb testing.TB) *Store {
	tb.Helper()
	return New(drivertest.Open(tb, []db.Migration{{Version: 1, SQL: Schema}, {Version: 2, SQL: SchemaSeen}}))
}

func benchTime() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) }

func benchDevice(i int) push.Device {
	// A hash of the number scatters ids and addresses as real ones are.
	scattered := push.Address{Value: push.Token(strconv.Itoa(i))}.Hash()
	return push.Device{
		Tenant: "tenant", ID: push.ID(fmt.Sprintf("dev-%016x-%d", scattered, i)),
		Address:  push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("%0140x:%016x", i, scattered))},
		Platform: push.PlatformAndroid, UserID: fmt.Sprintf("user-%d", i/2), Locale: "de-CH", State: push.DeviceActive,
		Source: push.SourceImport, CreatedAt: benchTime(), UpdatedAt: benchTime(),
	}
}
