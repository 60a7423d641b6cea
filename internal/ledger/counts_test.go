package ledger

import (
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

func TestTally(t *testing.T) {
	t.Parallel()
	l := planned(0, CellOf(push.CodeOpen, true), CellOf(push.CodeSent, false), CellOf(push.CodeSent, true), CellOf(push.CodeExpired, false))
	l.Last, l.Sources = true, 4
	c := l.Tally()
	want := map[push.Class]int64{push.ClassOpen: 2, push.ClassSent: 2, push.ClassExpired: 1}
	if !maps.Equal(c.ByClass(), want) || c.Recipients != 5 || c.Sources != 4 || c.PossibleDuplicates != 2 || c.Terminal() != 3 ||
		c.Chunks != 1 || c.ChunksClosed != 0 || c.PagesPlanned != 1 || !c.FirstAt.Equal(start()) || !c.LastAt.Equal(start()) {
		t.Errorf("tally is %+v", c)
	}
	closed := planned(CellOf(push.CodeSent, false))
	if c := closed.Tally(); c.ChunksClosed != 1 || c.PagesPlanned != 0 {
		t.Errorf("tally of a closed line is %+v", c)
	}
}

func TestAddTakesTheOuterTimes(t *testing.T) {
	t.Parallel()
	early, late := start(), start().Add(time.Hour)
	for _, c := range []struct {
		name        string
		a, b        Counts
		first, last time.Time
	}{
		{"in order", Counts{FirstAt: early, LastAt: early}, Counts{FirstAt: late, LastAt: late}, early, late},
		{"reversed", Counts{FirstAt: late, LastAt: late}, Counts{FirstAt: early, LastAt: early}, early, late},
		{"to nothing", Counts{}, Counts{FirstAt: early, LastAt: late}, early, late},
		{"of nothing", Counts{FirstAt: early, LastAt: late}, Counts{}, early, late},
	} {
		c.a.Add(&c.b)
		if !c.a.FirstAt.Equal(c.first) || !c.a.LastAt.Equal(c.last) {
			t.Errorf("%s: %v to %v", c.name, c.a.FirstAt, c.a.LastAt)
		}
	}
}

func TestDone(t *testing.T) {
	t.Parallel()
	open := Counts{Recipients: 1, PagesPlanned: 2}
	open.ByCode[push.CodeOpen] = 1
	for _, c := range []struct {
		name   string
		counts Counts
		pages  int
		want   bool
	}{
		{"nothing to do", Counts{}, 0, true},
		{"a page to plan", Counts{PagesPlanned: 1}, 2, false},
		{"all planned and settled", Counts{PagesPlanned: 2}, 2, true},
		{"one open", open, 2, false},
	} {
		if got := c.counts.Done(c.pages); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	c := Counts{Sources: 7}
	if c.Unplanned(10) != 3 || c.Unplanned(7) != 0 || c.Unplanned(5) != 0 {
		t.Error("unplanned sources are miscounted")
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	good := Counts{Sources: 3}
	good.AddCells(CellOf(push.CodeSent, true), 2)
	good.AddCells(0, 1)
	lost, unknown := good, good
	lost.Recipients++
	unknown.ByCode[99], unknown.ByCode[push.CodeSent] = 1, 1
	for _, c := range []struct {
		name     string
		counts   Counts
		accepted int64
		want     string
	}{
		{"balanced", good, 3, ""},
		{"more accepted than planned", good, 9, ""},
		{"a lost recipient", lost, 3, "4 recipients, but outcomes and open add up to 3"},
		{"a code that does not exist", unknown, 3, "3 recipients, but outcomes and open add up to 2"},
		{"more planned than accepted", good, 2, "3 sources, only 2 were accepted"},
	} {
		err := c.counts.Balance(c.accepted)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSumDoesNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Line {
			cell := rapid.Map(rapid.SampledFrom(push.Codes()), func(f push.Facts) Cell { return CellOf(f.Code, f.Sick) })
			cells := rapid.SliceOfN(cell, 0, 5).Draw(t, "cells")
			l := planned(cells...)
			l.UpdatedAt = start().Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "at")) * time.Second)
			return l
		}), 0, 6).Draw(t, "lines")
		var forth, back Counts
		recipients := 0
		for i := range lines {
			a, b := lines[i].Tally(), lines[len(lines)-1-i].Tally()
			forth.Add(&a)
			back.Add(&b)
			recipients += len(lines[i].Cells)
		}
		if forth != back || forth.Recipients != int64(recipients) {
			t.Fatalf("sums are\n%+v\n%+v", forth, back)
		}
		if err := forth.Balance(int64(recipients)); err != nil {
			t.Fatal(err)
		}
	})
}
