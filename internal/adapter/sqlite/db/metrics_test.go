package db

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestWritesAreTimed counts a write however it was asked for, also one that failed, and no read.
func TestWritesAreTimed(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, t.TempDir()+"/things.db", itemSchema())
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(d.Writes())
	writes := func() uint64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil || len(families) != 1 {
			t.Fatalf("%d families: %v", len(families), err)
		}
		m := families[0].GetMetric()[0]
		if l := m.GetLabel(); len(l) != 1 || l[0].GetName() != "file" || l[0].GetValue() != "things" {
			t.Errorf("its labels are %v", l)
		}
		return m.GetHistogram().GetSampleCount()
	}
	before, refused := writes(), errors.New("refused")
	put := func(tx *sql.Tx) error { return insert(t.Context(), tx, "a") }
	other := func(tx *sql.Tx) error { return insert(t.Context(), tx, "b") }
	if err := errors.Join(d.Write(t.Context(), put), d.WriteLater(t.Context(), other)); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(*sql.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if got := names(t, d); len(got) != 2 {
		t.Fatalf("%v are written", got)
	}
	if n := writes() - before; n != 3 {
		t.Errorf("three writes are counted as %d", n)
	}
}
