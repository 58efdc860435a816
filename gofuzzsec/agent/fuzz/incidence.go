package fuzz

// agIncidence counts in how many executions of random mutations each system call feature was seen.
// Only these: what the solver tries, what is run again to prove or to trim a find, and what a batch
// asks for are no draws at random, and an estimate of what is still unseen would take them for some.
type agIncidence struct {
	runs   uint64
	counts []uint32 // by feature; behind them by call, whatever its class and outcome
	seen   []uint32 // indices of counts that are not zero
	calls  uint32   // where counts goes on by call
}

// agFeatureBits of a feature are its class and outcome; above them is the number of the call.
const agFeatureBits = 5

func newAgIncidence(features int) agIncidence {
	calls := features >> agFeatureBits
	return agIncidence{
		counts: make([]uint32, features+calls),
		seen:   make([]uint32, 0, 256),
		calls:  uint32(features),
	}
}

// see counts an execution that had these features, in rising order.
func (n *agIncidence) see(features []uint32) {
	n.runs++
	last := ^uint32(0)
	for _, f := range features {
		n.add(f)
		if call := f >> agFeatureBits; call != last {
			n.add(n.calls + call)
			last = call
		}
	}
}

func (n *agIncidence) add(i uint32) {
	if n.counts[i] == 0 {
		n.seen = append(n.seen, i)
	}
	n.counts[i]++
}

// tellIncidence writes what was counted since it last could.
func (c *agCore) tellIncidence() {
	n := &c.incidence
	if n.runs == 0 {
		return
	}
	c.out.begin(agRecordIncidence)
	c.out.u64(n.runs)
	c.out.u32(uint32(len(n.seen)))
	for _, i := range n.seen {
		c.out.u32(i)
		c.out.u32(n.counts[i])
	}
	if !c.finish() {
		return // there is no room: a later plan tells it
	}
	for _, i := range n.seen {
		n.counts[i] = 0
	}
	n.seen, n.runs = n.seen[:0], 0
}
