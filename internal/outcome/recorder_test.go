package outcome_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// sent are notes of sends to addresses from a number on that the registry does not know.
func sent(from, n int) []push.DeviceNote {
	notes := make([]push.DeviceNote, n)
	for i := range notes {
		at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
		notes[i] = push.DeviceNote{
			Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("token-%0160d", from+i))}, Code: push.CodeSent,
			At: at, SentAt: at, Record: true,
		}
	}
	return notes
}

// recording runs f in a bubble, in which the recorder runs too. stop ends it and waits.
func recording(t *testing.T, f func(r *rig, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Record(ctx)
		}()
		stop := func() {
			cancel()
			<-ended
		}
		defer stop()
		f(r, stop)
	})
}

func (r *rig) settled(t *testing.T, notes ...push.DeviceNote) {
	t.Helper()
	r.Settled(t.Context(), notification(), line(ledger.StateClosed, push.CodeSent), notes)
}

// known returns how many devices the registry has besides that of the rig.
func (r *rig) known() int { return len(r.devices.AllDevices()) - 1 }

// What sends learn is written soon after, many at once, and no send waits for it.
func TestRecordsBesideTheSend(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, _ func()) {
		for i := range 10 {
			r.settled(t, sent(i*100, 100)...)
			time.Sleep(100 * time.Millisecond)
		}
		if r.known() != 0 || r.metric(t, "belfry_device_notes_waiting") != 1000 {
			t.Errorf("while sends go on: %d devices", r.known())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if r.known() != 1000 || len(r.calls()) != 1 || r.metric(t, "belfry_device_notes_waiting") != 0 ||
			r.metric(t, "belfry_device_notes_written_total") != 1000 {
			t.Errorf("soon after: %d devices in %v", r.known(), r.calls())
		}
	})
}

// Sends that never pause do not put it off for ever.
func TestRecordsWhileSendsGoOn(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, _ func()) {
		for i := range 200 {
			r.settled(t, sent(i, 1)...)
			time.Sleep(101 * time.Millisecond)
		}
		if r.known() < 140 || r.known() >= 200 || len(r.calls()) > 4 {
			t.Errorf("after twenty seconds: %d devices in %v", r.known(), r.calls())
		}
	})
}

// What quarantines is written at once, whether or not the address is known, and what
// waits about the same address does not undo it.
func TestTheDeadComeFirst(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, _ func()) {
		r.settled(t, sent(1, 1)...)
		dead := sent(1, 1)[0]
		dead.Code, dead.Quarantine, dead.Record = push.CodeFCMUnregistered, true, false
		r.settled(t, dead)
		check := func(when string) {
			t.Helper()
			d, err := r.devices.Device(t.Context(), "acme", push.SeenID("acme", dead.Address))
			if err != nil || d.State != push.DeviceQuarantined || r.known() != 1 {
				t.Errorf("%s: %s, %v", when, d.State, err)
			}
		}
		check("at once")
		time.Sleep(time.Second)
		synctest.Wait()
		check("after what waited")
		if n := r.metric(t, "belfry_devices_quarantined_total"); n != 1 {
			t.Errorf("%v quarantined", n)
		}
	})
}

// While the registry is away, sends go on, what does not fit is dropped and counted, and
// the dead have a place of their own.
func TestFullRecorder(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, _ func()) {
		r.setAway(true)
		const most = 1 << 16
		for i := 0; i < most+5000; i += 5000 {
			r.settled(t, sent(i, 5000)...)
		}
		dropped := r.metric(t, "belfry_device_notes_dropped_total")
		if waiting := r.metric(t, "belfry_device_notes_waiting"); waiting != most || dropped != 75000-most {
			t.Errorf("%v wait, %v dropped", waiting, dropped)
		}
		r.settled(t, gone(r.now, 1)...)
		time.Sleep(time.Minute)
		r.setAway(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if d := r.device(t); d.State != push.DeviceQuarantined || r.known() != most || r.metric(t, "belfry_device_notes_waiting") != 0 {
			t.Errorf("once it is back: %d devices, the dead one is %s", r.known(), d.State)
		}
		if n := r.metric(t, "belfry_devices_quarantined_total"); n != 1 || !r.told("push.device.quarantined.v1") {
			t.Errorf("%v quarantined", n)
		}
	})
}

// Large tokens count as what they are.
func TestRecorderCountsBytes(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, _ func()) {
		r.setAway(true)
		notes := sent(0, 1000)
		for i := range notes {
			notes[i].Address.Value += push.Token(strings.Repeat("x", 850))
		}
		for range 40 {
			r.settled(t, notes...)
		}
		if waiting := r.metric(t, "belfry_device_notes_waiting"); waiting*1100 > 24<<20 || waiting < 20_000 {
			t.Errorf("%v wait", waiting)
		}
	})
}

// At shutdown what waits is written.
func TestRecorderStops(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, stop func()) {
		r.settled(t, sent(0, 10)...)
		stop()
		if r.known() != 10 {
			t.Errorf("%d devices", r.known())
		}
	})
}

// A known device's success is noted beside the send, its failure at once.
func TestNotesOfKnownDevices(t *testing.T) {
	t.Parallel()
	recording(t, func(r *rig, _ func()) {
		success := gone(r.now, 1)[0]
		success.Code, success.Quarantine = push.CodeSent, false
		failure := success
		failure.Code = push.CodeFCMSenderIDMismatch
		r.settled(t, success, failure)
		if d := r.device(t); d.LastFailure != failure.Code || !d.LastSuccessAt.IsZero() {
			t.Errorf("at once: %+v", d)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if d := r.device(t); !d.LastSuccessAt.Equal(success.At) || d.LastFailure != failure.Code || r.known() != 0 {
			t.Errorf("soon after: %+v", d)
		}
	})
}

func (w *world) calls() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.records)
}

func (w *world) setAway(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (r *rig) device(t *testing.T) push.Device {
	t.Helper()
	d, err := r.devices.Device(t.Context(), "acme", "dev-1")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) told(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.events {
		if w.events[i].Type == kind {
			return true
		}
	}
	return false
}
