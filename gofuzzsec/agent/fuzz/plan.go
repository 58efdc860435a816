package fuzz

import "time"

// agItem is one entry of a plan: an input, how many executions of mutations it gets, and whether
// its comparisons are to be solved first.
type agItem struct {
	id     uint64
	energy uint64
	solve  bool
	input  agInput
}

// Flags of a plan and of its items.
const (
	agPlanSolve = 1 // finds get the comparison stage at once
	agItemSolve = 1
)

const (
	agFindEnergy  = 1024 // executions at most that a find gets in the plan that found it
	agShortest    = 128  // bytes that any input may grow to
	agRepairEvery = 8    // with checksums learnt, one mutation in so many is repaired
	agSolveShare  = 3    // of the executions of a plan, one in so many may go into comparisons
	agSolveStart  = 8192 // executions in advance
	agSolveTime   = 4    // and of its time
	agSolveAhead  = 40 * time.Millisecond
	agHavocChunk  = 256 // executions between two repairs, and between two looks at the queue
)

// agPlan is a request to fuzz: items in the order to work on them.
type agPlan struct {
	seed        uint64
	solveBudget int
	solve       bool
	findEnergy  uint64 // executions that a find gets in the plan that found it
	items       []*agItem
}

// readPlan takes the request apart, also what it says of coverage, tokens and budget.
func (c *agCore) readPlan() (plan agPlan, ok bool) {
	r := agReader{b: c.mem.request[:*c.mem.word(agWordRequestLen)]}
	plan.seed = r.u64()
	limit, nanoseconds := r.u64(), r.u64()
	flags := r.u64()
	maxLen := int(r.u64())
	plan.solveBudget = int(r.u64())
	plan.solve = flags&agPlanSolve != 0
	count := r.u64()
	c.learnKnown(&r)
	c.learnTokens(&r)
	for i := uint64(0); i < count && !r.bad; i++ {
		item := &agItem{id: r.u64(), energy: uint64(r.u32())}
		item.solve = r.u32()&agItemSolve != 0
		if 2*item.energy > plan.findEnergy {
			plan.findEnergy = 2 * item.energy
		}
		item.input.kinds = c.kinds
		wire := r.bytes(uint64(r.u32()))
		if r.bad || !agWireDecode(wire, &item.input) {
			return plan, false
		}
		plan.items = append(plan.items, item)
	}
	if plan.findEnergy > agFindEnergy {
		plan.findEnergy = agFindEnergy
	}
	c.budget = newAgBudget(limit, nanoseconds, maxLen)
	return plan, !r.bad
}

// learnKnown adds what the request says is known.
func (c *agCore) learnKnown(r *agReader) {
	known := r.bytes(r.u64())
	if len(known) == 0 {
		return
	}
	if len(known) != len(c.cov.known) {
		r.bad = true
		return
	}
	for i, b := range known {
		c.cov.known[i] |= b
	}
}

// learnTokens takes a new dictionary if the request brings one.
func (c *agCore) learnTokens(r *agReader) {
	block := agReader{b: r.bytes(r.u64())}
	if len(block.b) == 0 {
		return
	}
	var user, auto [][]byte
	for len(block.b) > 0 && !block.bad {
		n := block.u32()
		token := append([]byte(nil), block.bytes(uint64(n&^(1<<31)))...)
		if n>>31 != 0 {
			auto = append(auto, token)
			c.tokens.add(token)
		} else {
			user = append(user, token)
		}
	}
	r.bad = r.bad || block.bad
	c.mut.setTokens(user, auto)
}

// runPlan fuzzes until every item had its turn or the budget is over.
func (c *agCore) runPlan(plan agPlan) {
	c.mut.reseed(plan.seed)
	partners := make([]*agInput, len(plan.items))
	for i, item := range plan.items {
		partners[i] = &item.input
	}
	c.mut.setPartners(partners)
	c.queue, c.finds, c.solving = c.queue[:0], 0, 0
	for _, item := range plan.items {
		if c.over() {
			break
		}
		c.runItem(plan, item)
	}
	c.control = nil
	c.tellFails()
	*c.mem.word(agWordEnd) = c.budget.reason
}

func (c *agCore) runItem(plan agPlan, item *agItem) {
	c.parent, c.control = item.id, &item.input
	before, finds := c.budget.runs, c.finds
	solved := false
	if item.solve {
		solved = c.solveFor(&item.input, plan)
		c.drainQueue(plan)
	}
	c.havoc(&item.input, item.energy, plan)
	c.out.begin(agRecordItem)
	c.out.u64(item.id)
	c.out.u64(c.budget.runs - before)
	c.out.u32(c.finds - finds)
	c.out.u32(agBit(solved))
	c.finish()
	c.tellIncidence() // not only at the plan's end: an execution that kills the process loses less
}

// drainQueue gives every find of the plan its comparison stage and a first share of mutations,
// depth first, since what a find leads to is most often what it was kept for.
func (c *agCore) drainQueue(plan agPlan) {
	parent := c.parent
	for len(c.queue) > 0 && !c.over() {
		find := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		c.parent = 1<<63 | uint64(find.number) // the coordinator knows which entry that became
		if c.solveFor(&find.input, plan) {
			c.out.begin(agRecordSolved)
			c.out.u32(find.number)
			c.finish()
		}
		c.mutateFor(&find.input, plan.findEnergy)
	}
	c.parent = parent
}

// solveFor gives in its comparison stage if that has a share of the plan left; true when it was
// worked on to the end. What is passed over gets its turn in a later plan.
func (c *agCore) solveFor(in *agInput, plan agPlan) bool {
	if !plan.solve || *c.mem.word(agWordSolveRuns)*agSolveShare > c.budget.runs+agSolveStart {
		return false
	}
	if !c.budget.timed {
		c.solver.solve(c, in, plan.solveBudget)
		return !c.over()
	}
	// Executions with comparisons recorded are several times dearer than others, and how much
	// depends on the target, so the share is also one of time where time matters.
	began := time.Now()
	if c.solving*agSolveTime > began.Sub(c.budget.began)+agSolveAhead {
		return false
	}
	c.solveUntil = began.Add(c.budget.deadline.Sub(c.budget.began) / agSolveTime)
	c.solver.solve(c, in, plan.solveBudget)
	ended := time.Now()
	complete := ended.Before(c.solveUntil)
	c.solving += ended.Sub(began)
	c.solveUntil = time.Time{}
	return complete && !c.over()
}

// havoc spends energy executions on mutations of in, and sees to what they find.
func (c *agCore) havoc(in *agInput, energy uint64, plan agPlan) {
	for energy > 0 && !c.over() {
		n := uint64(agHavocChunk)
		if n > energy {
			n = energy
		}
		c.mutateFor(in, n)
		energy -= n
		c.drainQueue(plan)
	}
}

// mutateFor executes n mutations of in, some of them with their checksums repaired.
func (c *agCore) mutateFor(in *agInput, n uint64) {
	most := c.lengthFor(in)
	h := agHavoc{core: c, base: in, left: n, most: most}
	if c.solver.hasChecksums() {
		h.left = n - n/agRepairEvery
	}
	for h.left > 0 && !c.over() {
		fresh := h.drive()
		if c.lost {
			h.work.copyFrom(h.executed())
			c.repeat(&h.work)
		} else if fresh {
			h.work.copyFrom(h.executed())
			c.mut.reward(c.keep(&h.work))
		}
	}
	if !c.solver.hasChecksums() {
		return
	}
	for i := n / agRepairEvery; i > 0 && !c.over(); i-- {
		h.work.copyFrom(in)
		c.mut.mutate(&h.work, most)
		if !c.solver.repair(c, &h.work) {
			return
		}
	}
}

// lengthFor returns how long mutations of in may get. Long inputs are slow and rarely needed, so an
// input doubles at most; where length is what leads on, the next find doubles again.
func (c *agCore) lengthFor(in *agInput) int {
	most := 2 * len(in.data)
	if most < agShortest {
		most = agShortest
	}
	if most > c.budget.maxLen {
		most = c.budget.maxLen
	}
	return most
}

// agHavoc is the innermost loop: mutate, execute, compare coverage, until something is new.
type agHavoc struct {
	core *agCore
	base *agInput
	work agInput
	last agInput
	left uint64
	most int // bytes a mutation may have
}

// drive runs until an execution brought something new (true) or nothing is left to do.
func (h *agHavoc) drive() (fresh bool) {
	c := h.core
	c.host.drive(func() []any {
		if h.left == 0 || c.over() {
			return nil
		}
		h.left--
		h.work.copyFrom(h.base)
		c.mut.mutate(&h.work, h.most)
		return c.prepare(&h.work)
	}, c.after_, func(failed bool, text string) bool {
		c.judge(failed, text)
		*c.mem.word(agWordHavocRuns)++
		c.incidence.see(c.cov.calls)
		if failed || !c.cov.fresh {
			c.mut.reward(false)
			return c.lost
		}
		fresh = true
		return true
	})
	return fresh
}

// executed returns the input of the last execution as it was before the fuzz function could write
// to it.
func (h *agHavoc) executed() *agInput {
	h.last.kinds = h.core.kinds
	agWireDecode(h.core.mem.input[:*h.core.mem.word(agWordInputLen)], &h.last)
	return &h.last
}

// tellFails writes how often known failures were met again.
func (c *agCore) tellFails() {
	for _, key := range c.fails.order {
		c.out.begin(agRecordAgain)
		c.out.u64(key)
		c.out.u64(c.fails.again[key])
		c.finish()
		delete(c.fails.again, key)
	}
	c.fails.order = c.fails.order[:0]
}

func agBit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
