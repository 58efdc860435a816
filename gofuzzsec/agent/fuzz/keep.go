package fuzz

// keep looks into an execution that brought something new: does it come again, how small can the
// input be. It reports what stands the test, and tells whether it did.
func (c *agCore) keep(in *agInput) bool {
	find := &agFind{number: c.finds, parent: c.parent}
	find.input.copyFrom(in)
	fresh, ok := c.confirm(&find.input)
	if !ok {
		return false
	}
	// What shows only now and then is never asked for again, or it would be found without end.
	c.cov.learn(fresh.all)
	if len(fresh.stable)+len(fresh.lone) == 0 {
		return false
	}
	if len(fresh.lone) == 0 {
		c.trim(&find.input, fresh.stable)
		if !c.holds(&find.input, fresh.proven) {
			find.input.copyFrom(in)
		}
	}
	c.timed = true
	c.exec(&find.input)
	c.timed = false
	*c.mem.word(agWordConfirmRuns)++
	if c.failed || !c.cov.has(fresh.stable) {
		// It held in every run before: it depends on what ran in between, so take it as it came.
		find.input.copyFrom(in)
		c.exec(&find.input)
		if c.failed {
			return false
		}
	}
	if !c.report(find, fresh) {
		c.cov.forget(fresh.all) // nobody was told, so it has to be found again
		return false
	}
	c.finds++
	c.queue = append(c.queue, find)
	return true
}

// agFresh is what an execution brought that was not known.
type agFresh struct {
	stable []uint32 // came again
	lone   []uint32 // system calls that the process saw once: evidence must not be lost
	proven []uint32 // of stable, system calls that only the kernel saw
	all    []uint32 // what counts as known from now on
	steady []uint32 // system calls that only the kernel saw, known or not: in every run, and not by chance
}

// confirm executes in, the input of the last execution, again; false when it fails.
func (c *agCore) confirm(in *agInput) (fresh agFresh, ok bool) {
	fresh.stable = append([]uint32(nil), c.cov.freshFeatures(c.found[:0])...)
	fresh.all = append([]uint32(nil), fresh.stable...)
	fresh.steady = c.outside()
	outside := fresh.steady[:len(fresh.steady):len(fresh.steady)]
	c.exec(in)
	*c.mem.word(agWordConfirmRuns)++
	if c.failed {
		return fresh, false
	}
	fresh.all = c.cov.freshFeatures(fresh.all)
	outside = append(outside, c.outside()...)
	fresh.steady = c.cov.common(append([]uint32(nil), fresh.steady...))
	fresh.lone = agWithout(c.cov.absentCalls(fresh.stable), outside)
	fresh.stable = c.cov.common(fresh.stable)
	if len(outside) > 0 {
		c.settle(in, &fresh, outside)
	}
	return fresh, !c.failed
}

// report writes the record of a find whose execution was the last one. System calls that it made
// only once, the lone ones, are told all the same; false when it does not fit.
func (c *agCore) report(find *agFind, fresh agFresh) bool {
	features := agWithout(c.cov.features(nil), agWithout(c.outside(), fresh.steady))
	features = append(features, fresh.lone...)
	c.out.begin(agRecordFind)
	c.out.u32(find.number)
	c.out.u64(find.parent)
	c.out.u64(uint64(c.took))
	c.out.list(features)
	c.out.list(append(fresh.stable, fresh.lone...))
	c.out.input(&find.input)
	c.out.text(c.callers)
	if !c.finish() {
		return false
	}
	c.cov.learn(features)
	return true
}
