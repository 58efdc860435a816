package fuzz

import "time"

// Flags of a batch.
const (
	// Run each input twice; report what code both runs cover, all calls that the process saw, and of
	// those that only the kernel saw the ones in both.
	agBatchTwice = 1
	// Tell what an input covers only if something of it is new, and not from where it makes which
	// calls: for inputs that are tried by the thousand.
	agBatchNew = 2
)

// agBatchTime is how long a batch may go on beginning inputs, and agBatchSlow what an input may take
// to be run a second time. Some seeds take seconds, and others wait for the worker.
const (
	agBatchTime = 300 * time.Millisecond
	agBatchSlow = 100 * time.Millisecond
)

// runBatch executes exact inputs and reports each one's verdict, time, coverage and system calls,
// until all are done, the time is up or the results area is full: the coordinator asks again for the
// rest. At least one is done unless its result alone does not fit.
func (c *agCore) runBatch() bool {
	r := agReader{b: c.mem.request[:*c.mem.word(agWordRequestLen)]}
	count, flags := r.u64(), r.u64()
	c.learnKnown(&r)
	c.budget = newAgBudget(0, 0, 0)
	c.quiet = true
	defer func() { c.quiet = false }()
	in := agInput{kinds: c.kinds}
	began := time.Now()
	for i := uint64(0); i < count; i++ {
		wire := r.bytes(uint64(r.u32()))
		if r.bad || !agWireDecode(wire, &in) {
			return false
		}
		if i > 0 && time.Since(began) > agBatchTime {
			*c.mem.word(agWordEnd) = agEndTime
			break
		}
		if !c.batchOne(&in, flags) {
			*c.mem.word(agWordEnd) = agEndFull
			break
		}
	}
	return !r.bad
}

func (c *agCore) batchOne(in *agInput, flags uint64) bool {
	c.timed, c.callers = flags&agBatchNew == 0, ""
	c.exec(in)
	outside := c.outside()
	if flags&agBatchNew != 0 && !c.cov.fresh {
		c.found = c.found[:0]
	} else if flags&agBatchTwice != 0 && !c.failed && c.took < agBatchSlow {
		first := c.cov.features(nil)
		c.exec(in)
		second := append(outside[:len(outside):len(outside)], c.outside()...)
		calls := agWithout(c.cov.absentCalls(first), second) // evidence must not be lost
		c.found = append(c.cov.common(first), calls...)
		for _, f := range c.cov.calls {
			if f += uint32(c.cov.padded) * 8; !agContains(c.found, f) && !agContains(second, f) {
				c.found = append(c.found, f)
			}
		}
	} else {
		c.found = agWithout(c.cov.features(c.found[:0]), outside)
	}
	c.timed = false
	c.out.begin(agRecordResult)
	c.out.u32(agBit(c.failed))
	c.out.u64(uint64(c.took))
	c.out.list(c.found)
	text := ""
	if c.failed {
		text = c.text
	}
	c.out.text(text)
	c.out.text(c.callers)
	return c.out.end()
}

// runLoop measures, for bench/, what everything around the fuzz function costs. It lets the engine
// make and execute mutations of the plan's items, then calls the fuzz function with the same inputs
// in a bare loop, five times each by turns, and reports all ten times in nanoseconds.
func (c *agCore) runLoop() bool {
	plan, ok := c.readPlan()
	if !ok || len(plan.items) == 0 || c.budget.limit == 0 {
		return false
	}
	runs := int(c.budget.limit)
	l := agLoop{core: c, plan: plan}
	inputs := make([][]any, runs)
	l.restart(nil, 0)
	for i := range inputs {
		in := new(agInput)
		l.next(in)
		inputs[i] = make([]any, len(c.types))
		agValues(inputs[i], c.types, in)
	}
	l.restart(nil, runs)
	l.engine()                  // what is new is learnt here, so that the measured passes meet nothing new
	var times [10]time.Duration // written at the end: failures write records of their own meanwhile
	for i := 0; i < len(times); i += 2 {
		l.restart(nil, runs)
		began := time.Now()
		l.engine()
		times[i] = time.Since(began)
		began = time.Now()
		c.host.loop(inputs)
		times[i+1] = time.Since(began)
	}
	c.dirty = true
	c.out.begin(agRecordResult)
	for _, each := range times {
		c.out.u64(uint64(each))
	}
	return c.out.end()
}

// agLoop makes the same mutations each time it is restarted.
type agLoop struct {
	core *agCore
	plan agPlan
	work agInput
	made int
	left int
}

func (l *agLoop) restart(partners []*agInput, runs int) {
	l.core.mut.setPartners(partners)
	l.core.mut.forget() // the odds of the operators move while it runs
	l.core.mut.reseed(l.plan.seed)
	l.core.budget = newAgBudget(0, 0, l.core.budget.maxLen)
	l.made, l.left = 0, runs
}

// next makes the next mutation in in.
func (l *agLoop) next(in *agInput) {
	base := &l.plan.items[l.made%len(l.plan.items)].input
	in.copyFrom(base)
	l.made++
	l.core.mut.mutate(in, l.core.lengthFor(base))
	l.core.mut.reward(false)
}

// engine executes as a campaign does, but for keeping.
func (l *agLoop) engine() {
	c := l.core
	c.host.drive(func() []any {
		if l.left == 0 || c.over() {
			return nil
		}
		l.left--
		l.next(&l.work)
		return c.prepare(&l.work)
	}, c.after_, func(failed bool, text string) bool {
		c.judge(failed, text)
		if c.cov.fresh {
			c.cov.learn(c.cov.features(nil))
		}
		return false
	})
}
