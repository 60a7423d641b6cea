package cost

import "testing"

// TestNanodollars: a notification's estimate is what the model's bill says, without the egress of what
// nobody sent.
func TestNanodollars(t *testing.T) {
	t.Parallel()
	p, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 350, 351, 1000, 1_000_000} {
		bill := p.Bill(Notification(n))
		whole, unsent := p.Nanodollars(int64(n), int64(n)), p.Nanodollars(int64(n), 0)
		if diff := float64(whole)/1e9 - bill.USD; diff > 1e-9 || diff < -1e-9 {
			t.Errorf("%d recipients: %d nano-dollars, the bill says %v", n, whole, bill.USD)
		}
		if diff := float64(whole-unsent)/1e9 - bill.Of(Egress); diff > 2e-9 || diff < -2e-9 {
			t.Errorf("%d recipients: egress of %d nano-dollars, the bill says %v", n, whole-unsent, bill.Of(Egress))
		}
	}
	if p.Nanodollars(0, 0) <= 0 {
		t.Error("a notification without recipients costs nothing")
	}
}
