package fuzz

// What only the kernel sees of an execution: system calls of C code, of started processes and of the
// Go runtime. The first two are the input's doing; so may be the third (a thread that ends with its
// goroutine), but most often it is chance: a collection, an idle thread, a timer. Nothing tells them
// apart but experiment. And chance comes in spells: a collection spans thousands of executions, so
// that a call shows again right away proves nothing.
//
// So such a call counts for an input only if the input shows it in its first two runs and agProofs
// more, while another input, run in between, never does. What fails that is not held against the
// call at once: an input may yet come that always makes it. Only after agMostFlukes tries this
// process takes it for chance for good, for each try costs executions. What is dropped here is not
// lost to the evidence, which the coordinator takes from the kernel itself.

// agMostFlukes is how often a system call that only the kernel sees is looked into in vain: a guess.
// The runtime makes some thirty different ones.
const agMostFlukes = 4

// agProofs is how often an input has to show it beyond its first two runs. Where every second
// execution shows a call by chance, as with futex under a target that starts processes, that lets
// one in 4,000 pass.
const agProofs = 5

// agDoubts counts vain looks by feature.
type agDoubts map[uint32]uint8

// spent counts a vain look at each of features, and returns those that had their last.
func (d *agDoubts) spent(features []uint32) (spent []uint32) {
	if *d == nil {
		*d = agDoubts{}
	}
	for _, f := range features {
		if (*d)[f]++; (*d)[f] >= agMostFlukes {
			spent = append(spent, f)
		}
	}
	return spent
}

// outside returns what only the kernel saw of the last execution.
func (c *agCore) outside() []uint32 {
	if c.host.outside == nil {
		return nil
	}
	features := c.host.outside(nil, c.cov.calls)
	for i := range features {
		features[i] += uint32(c.cov.padded) * 8
	}
	return features
}

// settle sees to what is fresh among outside, the system calls that only the kernel saw in the two
// runs of in so far: it takes out of fresh what proves to be chance.
func (c *agCore) settle(in *agInput, fresh *agFresh, outside []uint32) {
	doubtful := agWithin(fresh.stable, outside)
	fresh.proven = c.prove(in, doubtful, agProofs)
	chance := agWithout(agWithin(fresh.all, outside), fresh.proven)
	fresh.all = append(agWithout(fresh.all, chance), c.doubts.spent(chance)...)
	fresh.stable = agWithout(fresh.stable, chance)
	fresh.steady = agWithout(fresh.steady, chance)
}

// prove returns those of features that in shows in so many more runs and the control in none between
// them. The last execution is one of in.
func (c *agCore) prove(in *agInput, features []uint32, runs int) []uint32 {
	features = append([]uint32(nil), features...)
	for ; runs > 0 && len(features) > 0; runs-- {
		if c.control != nil {
			c.exec(c.control)
			*c.mem.word(agWordConfirmRuns)++
			features = c.cov.absentCalls(features)
		}
		c.exec(in)
		*c.mem.word(agWordConfirmRuns)++
		if c.failed {
			return nil
		}
		features = c.cov.common(features)
	}
	return features
}

// holds reports whether in, which trim made smaller, still shows all that was proven.
func (c *agCore) holds(in *agInput, proven []uint32) bool {
	return len(c.prove(in, proven, 2)) == len(proven)
}

// agWithout returns what of list is not in other; list itself when that is all.
func agWithout(list, other []uint32) []uint32 {
	if len(other) == 0 {
		return list
	}
	rest := make([]uint32, 0, len(list))
	for _, v := range list {
		if !agContains(other, v) {
			rest = append(rest, v)
		}
	}
	return rest
}

// agWithin returns what of list is also in other, each once.
func agWithin(list, other []uint32) (both []uint32) {
	for _, v := range list {
		if agContains(other, v) && !agContains(both, v) {
			both = append(both, v)
		}
	}
	return both
}
