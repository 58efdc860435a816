package fuzz

import "time"

// agBudget says how long a request may go on. The clock is looked at every few executions, as many
// as take some 200 µs; without a time limit it is not looked at, so that runs can be repeated.
type agBudget struct {
	runs     uint64 // executions begun
	limit    uint64 // 0: none
	began    time.Time
	deadline time.Time
	timed    bool
	maxLen   int
	ended    bool
	reason   uint64

	checked  time.Time
	next     uint64 // runs at which the clock is due
	interval uint64
}

const (
	agClockPeriod   = 200 * time.Microsecond
	agClockInterval = 256 // executions at most between two looks
)

func newAgBudget(limit, nanoseconds uint64, maxLen int) agBudget {
	b := agBudget{limit: limit, maxLen: maxLen, interval: 1}
	if nanoseconds > 0 {
		b.timed = true
		b.began = time.Now()
		b.checked = b.began
		b.deadline = b.began.Add(time.Duration(nanoseconds))
		b.next = 1 // before an execution there is nothing to tell from how long they take
	}
	return b
}

// stop ends the request; the first reason stays.
func (b *agBudget) stop(reason uint64) {
	if !b.ended {
		b.ended, b.reason = true, reason
	}
}

func (b *agBudget) check() {
	if b.limit > 0 && b.runs >= b.limit {
		b.stop(agEndLimit)
	}
	if !b.timed || b.runs < b.next {
		return
	}
	now := time.Now()
	if !now.Before(b.deadline) {
		b.stop(agEndTime)
	}
	each := now.Sub(b.checked) / time.Duration(b.interval)
	b.checked = now
	b.interval = agClockInterval
	if each > 0 {
		b.interval = uint64(agClockPeriod / each)
	}
	if b.interval < 1 {
		b.interval = 1
	} else if b.interval > agClockInterval {
		b.interval = agClockInterval
	}
	b.next = b.runs + b.interval
}
