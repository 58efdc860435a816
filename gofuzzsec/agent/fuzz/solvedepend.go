package fuzz

// The second stage: which bytes an operand depends on, found by changing them.

const (
	agDepBytes = 256 // bytes of an input looked at one by one; longer ones block by block first
	agDepMost  = 64  // bytes remembered for one operand
	agDepBlock = 64  // blocks that a long input is divided into
)

// agMove is what changing one byte of the base does to an operand.
type agMove struct {
	pos int
	// For an integer step is by how much the operand rises when the byte does by one, and flips the
	// bits of it that changed when those of flip did in the byte.
	step  int64
	flips uint64
	flip  byte
	at    int // for a string: the first byte that changed
}

// agDep holds the moves of both operands of one target, in the order of the bytes.
type agDep struct {
	target agTarget
	moves  [2][]agMove
	wide   [2]bool // there were more
	clear  [2]bool // it is understood how the operand comes from the input
}

// depend finds out what the unmet targets depend on and works on each of them.
func (s *agSolver) depend() {
	s.deps = s.deps[:0]
	s.depOf = append(s.depOf[:0], make([]int32, len(s.trace.recs))...)
	for _, t := range s.targets() {
		if _, met := s.met[t.ref]; met || !s.first(2, &t) {
			continue
		}
		s.deps = append(s.deps, agDep{target: t})
		s.depOf[s.trace.find(t.ref.site, t.ref.nth)] = int32(len(s.deps))
	}
	if len(s.deps) == 0 {
		return
	}
	s.learnMoves(1, s.left/2)
	if s.someUnmoved() {
		s.learnMoves(0x50, s.left/4)
	}
	ends := append([]int(nil), s.base.ends...)
	for i := range s.deps {
		d := &s.deps[i]
		before := s.moved
		if s.stopped {
			return
		}
		if s.refresh(&d.target) {
			s.solveDep(d)
		}
		// Moves name places of the base as it was: they still hold when only bytes have changed.
		if s.moved && !before && !agSameEnds(ends, s.base.ends) {
			return
		}
	}
}

func agSameEnds(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// someUnmoved reports whether some target seems to depend on nothing at all.
func (s *agSolver) someUnmoved() bool {
	for i := range s.deps {
		if len(s.deps[i].moves[0])+len(s.deps[i].moves[1]) == 0 {
			return true
		}
	}
	return false
}

// learnMoves changes the bytes of the base by flip, one at a time, in at most budget executions. In
// a long input it changes blocks, and the bytes of those blocks only that moved a target.
func (s *agSolver) learnMoves(flip byte, budget int) {
	n := len(s.base.data)
	stop := s.left - budget
	if n <= agDepBytes {
		for at := 0; at < n && s.left > stop && !s.stopped; at++ {
			s.flipPart(agSpan{at, at + 1}, flip, true)
		}
		return
	}
	size := (n + agDepBlock - 1) / agDepBlock
	for at := 0; at < n && s.left > stop && !s.stopped; at += size {
		block := agSpan{at, at + size}
		if block.to > n {
			block.to = n
		}
		if s.flipPart(block, flip, false) {
			for i := block.from; i < block.to && s.left > stop && !s.stopped; i++ {
				s.flipPart(agSpan{i, i + 1}, flip, true)
			}
		}
	}
}

// flipPart executes the base with a part changed and sees which targets moved. It notes their moves
// when note is set.
func (s *agSolver) flipPart(part agSpan, flip byte, note bool) (any bool) {
	s.trial.copyFrom(&s.base)
	for i := part.from; i < part.to; i++ {
		s.trial.data[i] ^= flip
	}
	s.guard = part
	if !s.attempt() {
		return false
	}
	recs := agCmpRecords()
	for i := range recs {
		r := &recs[i]
		at := s.trace.find(r.site, r.nth)
		if at < 0 || s.depOf[at] == 0 {
			continue
		}
		d := &s.deps[s.depOf[at]-1]
		old := &s.trace.recs[at]
		for side := 0; side < 2; side++ {
			move := agMove{pos: part.from, flip: flip}
			if !s.compare(&move, old, r, side) || d.wide[side] {
				continue
			}
			any = true
			if note && len(d.moves[side]) < agDepMost {
				d.add(side, move)
			} else if note {
				d.wide[side] = true
			}
		}
	}
	return any
}

// add notes a move unless that byte is known to.
func (d *agDep) add(side int, move agMove) {
	for _, known := range d.moves[side] {
		if known.pos == move.pos {
			return
		}
	}
	d.moves[side] = append(d.moves[side], move)
}

// compare fills in how one operand differs from what it was, and reports whether it does.
func (s *agSolver) compare(move *agMove, old, r *agCmp, side int) bool {
	if r.width != 0 {
		move.flips = (old.value(side) ^ r.value(side)) & agCmpMask(r.width)
		change := agCmpExtend(r.value(side)-old.value(side), r.width)
		was := s.base.data[move.pos]
		by := int64(was^move.flip) - int64(was)
		move.step = change / by
		return move.flips != 0
	}
	was, is := s.trace.text(old, side), agLiveText(r, side)
	for move.at = 0; move.at < len(was) && move.at < len(is); move.at++ {
		if was[move.at] != is[move.at] {
			return true
		}
	}
	return old.value(side) != r.value(side)
}

// solveDep works on one target with what it depends on.
func (s *agSolver) solveDep(d *agDep) {
	t := &d.target
	for side := 0; side < 2; side++ {
		if len(d.moves[side]) == 0 || !s.refresh(t) {
			continue
		}
		if t.rec.width == 0 {
			s.solveText(d, side)
		} else {
			d.clear[side] = s.solveInt(d, side)
		}
	}
	for side := 0; side < 2 && s.refresh(t); side++ {
		if len(d.moves[side]) > 0 && !d.wide[side] {
			s.cutAt(d, side)
		}
	}
}

// descend is for operands that nothing else explains.
func (s *agSolver) descend() {
	limit := s.left / 2
	for i := range s.deps {
		d := &s.deps[i]
		if _, met := s.met[d.target.ref]; met {
			continue
		}
		for side := 0; side < 2; side++ {
			if s.stopped || s.moved || s.left < limit {
				return
			}
			if len(d.moves[side]) > 0 && !d.wide[side] && !d.clear[side] && s.refresh(&d.target) {
				s.climb(d, side)
			}
		}
	}
}

// cutAt ends the argument where the operand comes from: some of what is not understood is best left
// out.
func (s *agSolver) cutAt(d *agDep, side int) {
	at := d.moves[side][0].pos
	i := s.base.argAt(at)
	if i < 0 || !s.base.kinds[i].variable() || s.stopped {
		return
	}
	s.trial.copyFrom(&s.base)
	s.trial.splice(i, at, s.trial.ends[i], nil)
	s.guard = agSpan{at, at}
	s.try(&d.target)
}
