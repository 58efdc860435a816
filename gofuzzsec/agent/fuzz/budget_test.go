package fuzz

import (
	"testing"
	"time"
)

func TestALimitOfExecutions(t *testing.T) {
	b := newAgBudget(10, 0, 0)
	for i := 0; i < 10; i++ {
		if b.check(); b.ended {
			t.Fatalf("over after %d of 10", i)
		}
		b.runs++
	}
	if b.check(); !b.ended || b.reason != agEndLimit {
		t.Errorf("ended %v for reason %d", b.ended, b.reason)
	}
	b.stop(agEndStop)
	if b.reason != agEndLimit {
		t.Error("a later reason replaced the first")
	}
}

func TestWithoutATimeTheClockIsNotLookedAt(t *testing.T) {
	b := newAgBudget(0, 0, 0)
	for ; b.runs < 1000; b.runs++ {
		b.check()
	}
	if b.ended || !b.checked.IsZero() {
		t.Errorf("ended %v, clock looked at %v", b.ended, b.checked)
	}
}

func TestTimeIsUp(t *testing.T) {
	began := time.Now()
	b := newAgBudget(0, uint64(20*time.Millisecond), 0)
	for !b.ended && b.runs < 1<<30 {
		b.check()
		b.runs++
	}
	took := time.Since(began)
	if b.reason != agEndTime || took < 20*time.Millisecond || took > 2*time.Second {
		t.Errorf("reason %d after %v", b.reason, took)
	}
	if b.interval < 2 || b.interval > agClockInterval {
		t.Errorf("%d executions between two looks at the clock though each takes nanoseconds", b.interval)
	}
}

func TestSlowExecutionsAreLookedAfterOneByOne(t *testing.T) {
	b := newAgBudget(0, uint64(time.Hour), 0)
	for i := 0; i < 3; i++ {
		b.check()
		b.runs++
		time.Sleep(2 * time.Millisecond)
	}
	b.check()
	if b.interval > 2 {
		t.Errorf("%d executions of 2 ms between two looks at the clock", b.interval)
	}
}
