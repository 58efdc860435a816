package fuzz

import "math/bits"

// solveInt tries to give an integer operand the other side's value: where its bytes stand in the
// input, then for operands that are computed from a few bytes. It reports whether the operand is
// understood, so that nothing else need be tried.
func (s *agSolver) solveInt(d *agDep, side int) bool {
	t := &d.target
	if s.rawThere(d, side) || s.stopped || !s.refresh(t) {
		return true
	}
	goals := [...]uint64{t.rec.value(1 - side), t.rec.value(1-side) + 1, t.rec.value(1-side) - 1}
	v := t.rec.value(side)
	for k, goal := range goals {
		met := false
		for model := 0; model < agModels && !met; model++ {
			if s.stopped || !s.refresh(t) && k == 0 {
				return true
			}
			out := s.tryModel(d, side, model, v, goal)
			if out.fresh {
				return true
			}
			met = out.equal
		}
		if !met && k == 0 {
			return false
		}
	}
	return true
}

// rawThere looks for the operand as a raw integer only where its moves are; also for one whose bytes
// occur in too many places to try each. It reports whether the operand is one.
func (s *agSolver) rawThere(d *agDep, side int) bool {
	t := &d.target
	first, last := d.moves[side][0].pos, d.moves[side][0].pos
	for _, move := range d.moves[side] {
		if move.pos > last {
			last = move.pos
		} else if move.pos < first {
			first = move.pos
		}
	}
	goal, v, width := t.rec.value(1-side), t.rec.value(side), t.rec.width
	there := false
	for _, size := range agRawSizes {
		for order := 0; order < 2 && !(size == 1 && order == 1); order++ {
			code := agCode{kind: agCodeRaw, size: size, big: order == 1}
			if last-first >= int(size) || !code.fits(v, width) || !code.fits(goal, width) {
				continue
			}
			s.find = code.raw(s.find[:0], v, width)
			for at := last + 1 - int(size); at <= first; at++ {
				if at < 0 || at+int(size) > len(s.base.data) || !agCmpSame(s.base.data[at:at+int(size)], s.find) {
					continue
				}
				out := s.writeRaw(t, side, code, at, goal)
				if out.won() || s.stopped {
					return true
				}
				there = there || last-first+1 == int(size)
			}
		}
	}
	return there
}

// How an operand may depend on bytes.
const (
	agModelDigits  = iota // a sum of steps, the bytes being digits and remaining so
	agModelSum            // a sum of steps
	agModelModular        // a sum of steps modulo a power of two, by the carries
	agModelBits           // bits of the bytes are bits of the operand, maybe inverted
	agModels
)

// tryModel computes the bytes that give the operand, which is v, the value goal, and tries them.
func (s *agSolver) tryModel(d *agDep, side, model int, v, goal uint64) agOutcome {
	moves := d.moves[side]
	s.trial.copyFrom(&s.base)
	done := false
	switch model {
	case agModelDigits:
		for _, move := range moves {
			if s.base.data[move.pos]-'0' > 9 {
				return agOutcome{}
			}
		}
		done = s.solveSum(moves, v, goal, d.target.rec.width, '0', '9')
	case agModelSum:
		done = s.solveSum(moves, v, goal, d.target.rec.width, 0, 255)
	case agModelModular:
		done = s.solveModular(moves, (goal-v)&agCmpMask(d.target.rec.width), d.target.rec.width)
	case agModelBits:
		done = s.solveBits(moves, v^goal)
	}
	if !done {
		return agOutcome{}
	}
	s.guard = agMovesSpan(moves)
	return s.try(&d.target)
}

func agMovesSpan(moves []agMove) agSpan {
	span := agSpan{moves[0].pos, moves[0].pos + 1}
	for _, move := range moves {
		if move.pos < span.from {
			span.from = move.pos
		}
		if move.pos >= span.to {
			span.to = move.pos + 1
		}
	}
	return span
}

// agByStep returns the moves ordered by the size of their steps, the greatest first.
func agByStep(moves []agMove) []agMove {
	sorted := append([]agMove(nil), moves...)
	for i := range sorted {
		for j := i; j > 0 && agAbs(sorted[j].step) > agAbs(sorted[j-1].step); j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted
}

func agAbs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// solveSum writes the operand as a sum of digit times step, the digits between low and high,
// greatest steps first. That is exact for positional notations and for plain sums.
func (s *agSolver) solveSum(moves []agMove, v, goal uint64, width, low, high uint8) bool {
	rest := agCmpExtend(goal-v, width)
	if far := goal - v; width < 8 && rest < 0 && v < goal {
		rest = int64(far) // unsigned operands more than half their range apart
	}
	sorted := agByStep(moves)
	for _, move := range sorted {
		start := low
		if move.step < 0 {
			start = high
		}
		rest -= (int64(start) - int64(s.base.data[move.pos])) * move.step
	}
	for _, move := range sorted {
		if move.step == 0 {
			continue
		}
		digit := rest / move.step
		if move.step > 0 {
			digit = agClamp(digit, 0, int64(high-low))
			s.trial.data[move.pos] = low + byte(digit)
		} else {
			digit = agClamp(digit, -int64(high-low), 0)
			s.trial.data[move.pos] = high - byte(-digit)
		}
		rest -= digit * move.step
	}
	return rest == 0
}

func agClamp(n, low, high int64) int64 {
	if n < low {
		return low
	}
	if n > high {
		return high
	}
	return n
}

// solveModular solves step by step from the lowest bits up: each byte settles the bits from its
// step's lowest set bit on, and what it carries is left to the next.
func (s *agSolver) solveModular(moves []agMove, rest uint64, width uint8) bool {
	sorted := append([]agMove(nil), moves...)
	zeros := func(m agMove) int { return bits.TrailingZeros64(uint64(m.step)) }
	for i := range sorted {
		for j := i; j > 0 && zeros(sorted[j]) < zeros(sorted[j-1]); j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	for _, move := range sorted {
		zero := zeros(move)
		if zero == 64 || rest&(1<<zero-1) != 0 {
			continue
		}
		odd := uint64(move.step) >> zero
		inverse := odd // right in three bits; every round doubles them (Newton)
		for i := 0; i < 5; i++ {
			inverse *= 2 - odd*inverse
		}
		by := byte(rest >> zero * inverse)
		old := s.trial.data[move.pos]
		s.trial.data[move.pos] = old + by
		rest -= uint64(int64(old+by)-int64(old)) * uint64(move.step)
	}
	return rest&agCmpMask(width) == 0
}

// solveBits flips those bits of each byte that are to change in the part of the operand that the
// byte decides on: the whole byte with it, or the one bit that was seen to follow.
func (s *agSolver) solveBits(moves []agMove, want uint64) bool {
	any := false
	for _, move := range moves {
		if bits.OnesCount8(move.flip) != 1 || move.flips&(move.flips-1) != 0 {
			continue
		}
		shift := bits.TrailingZeros64(move.flips) - bits.TrailingZeros8(move.flip)
		by := byte(want >> uint(shift&63))
		if shift < 0 {
			by = byte(want << uint(-shift))
		}
		s.trial.data[move.pos] ^= by
		any = any || by != 0
	}
	return any
}
