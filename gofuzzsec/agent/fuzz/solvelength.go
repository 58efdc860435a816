package fuzz

const (
	agLenStep    = 8       // bytes that an argument is made longer by, to see what its length moves
	agLenMostFar = 1 << 16 // bytes that an argument is made longer or shorter by at once
)

// agLenMove says that an operand moves with the length of an argument.
type agLenMove struct {
	ref  agRef
	side uint8
	arg  int
	step int64 // by how much for agLenStep bytes more
}

// measure learns which integers of the base move with the length of an argument.
func (s *agSolver) measure() {
	if s.sized {
		return
	}
	s.lens, s.sized = s.lens[:0], true
	for i, kind := range s.base.kinds {
		if !kind.variable() || len(s.base.data)+agLenStep > s.m.maxLen() {
			continue
		}
		s.trial.copyFrom(&s.base)
		s.guard = s.lengthen(i, agLenStep)
		if !s.attempt() {
			return
		}
		recs := agCmpRecords()
		for k := range recs {
			r := &recs[k]
			at := s.trace.find(r.site, r.nth)
			if at < 0 || r.width < 2 {
				continue
			}
			old := &s.trace.recs[at]
			for side := 0; side < 2; side++ {
				step := agCmpExtend(r.value(side)-old.value(side), r.width)
				if step != 0 && -16*agLenStep <= step && step <= 16*agLenStep {
					s.lens = append(s.lens, agLenMove{r.ref(), uint8(side), i, step})
				}
			}
		}
	}
}

// ofLength reports whether an operand moves with a length. A length and a constant are mostly
// compared for their order.
func (s *agSolver) ofLength(ref agRef) bool {
	for _, move := range s.lens {
		if move.ref == ref {
			return true
		}
	}
	return false
}

// lengthen makes argument i of the trial n bytes longer, or shorter when n is negative, at its end.
// What is added repeats the last byte. It returns the part that changed.
func (s *agSolver) lengthen(i, n int) agSpan {
	from, to := s.trial.begin(i), s.trial.ends[i]
	if n < 0 {
		if to+n < from {
			n = from - to
		}
		s.trial.splice(i, to+n, to, nil)
		return agSpan{to + n, to + n}
	}
	fill := byte(0)
	if to > from {
		fill = s.trial.data[to-1]
	} else if s.trial.kinds[i].class == agString {
		fill = '0'
	}
	s.with = s.with[:0]
	for len(s.with) < n {
		s.with = append(s.with, fill)
	}
	s.trial.splice(i, to, to, s.with)
	return agSpan{to, to + n}
}

// fitLength changes the length of an argument so that the target holds, or just not. Where a longer
// argument did not reach the target, an operand that is the argument's length is taken for it.
func (s *agSolver) fitLength(t *agTarget) {
	var moves []agLenMove
	for _, move := range s.lens {
		if move.ref == t.ref {
			moves = append(moves, move)
		}
	}
	for i := range s.base.ends {
		size := uint64(len(s.base.arg(i)))
		for side := 0; side < 2 && len(moves) == 0 && size > 1 && s.base.kinds[i].variable(); side++ {
			if t.rec.width > 1 && t.rec.value(side) == size {
				moves = append(moves, agLenMove{t.ref, uint8(side), i, agLenStep})
			}
		}
	}
	for _, move := range moves {
		if s.fitOne(t, move); !s.refresh(t) {
			return
		}
	}
}

func (s *agSolver) fitOne(t *agTarget, move agLenMove) {
	v, goal := t.rec.value(int(move.side)), t.rec.value(1-int(move.side))
	size := s.base.ends[move.arg] - s.base.begin(move.arg)
	for _, near := range [...]uint64{goal, goal + 1, goal - 1} {
		n, ok := agLenFor(agCmpExtend(near-v, t.rec.width), move.step)
		if !ok || s.stopped {
			continue
		}
		s.trial.copyFrom(&s.base)
		n += size - len(s.trial.arg(move.arg))
		s.guard = s.lengthen(move.arg, n)
		s.shrank = n < 0
		out := s.try(t)
		s.shrank = false
		if out.fresh {
			return
		}
	}
}

// agLenFor returns by how many bytes a length must change for an operand to move by far, when
// agLenStep bytes move it by step.
func agLenFor(far, step int64) (n int, ok bool) {
	if far < -agLenMostFar || far > agLenMostFar {
		return 0, false
	}
	exact := far * agLenStep
	n = int(exact / step)
	if exact%step != 0 && (exact < 0) == (step < 0) {
		n++ // a little too far rather than not far enough
	}
	return n, -agLenMostFar <= n && n <= agLenMostFar
}
