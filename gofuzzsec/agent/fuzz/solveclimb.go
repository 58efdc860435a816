package fuzz

const (
	agClimbBytes   = 24 // bytes that a descent works on
	agClimbDoubts  = 2  // descents of one site that may lead nowhere
	agClimbUseless = 3  // bytes in a row that bring it no closer, after which a pass ends
	agClimbPasses  = 2  // times that every byte has its turn
)

// solveText tries to make a string operand the other side: at the place that its moves point to, and
// byte by byte for one that the target changed before it compared.
func (s *agSolver) solveText(d *agDep, side int) {
	t := &d.target
	moves := append([]agMove(nil), d.moves[side]...)
	text := append([]byte(nil), s.trace.text(&t.rec, side)...)
	goal := append([]byte(nil), s.trace.text(&t.rec, 1-side)...)
	if len(text) == 0 {
		s.insertAt(d, side, goal)
		return
	}
	tried := 0
	last := -1
	for _, move := range moves {
		from := move.pos - move.at
		if from < 0 || from == last || from+len(text) > len(s.base.data) || tried == 4 ||
			!agSameFold(s.base.data[from:from+len(text)], text) {
			continue
		}
		last = from
		tried++
		if s.writeText(t, side, agTextCodes[0], agSpan{from, from + len(text)}, goal) || s.stopped {
			return
		}
	}
	for model := 0; model < 2 && s.refresh(t); model++ {
		s.trial.copyFrom(&s.base)
		for _, move := range moves {
			if move.at < len(text) && move.at < len(goal) && move.pos < len(s.trial.data) {
				if model == 0 {
					s.trial.data[move.pos] ^= text[move.at] ^ goal[move.at]
				} else {
					s.trial.data[move.pos] += goal[move.at] - text[move.at]
				}
			}
		}
		s.guard = agMovesSpan(moves)
		if s.try(t).won() || s.stopped {
			return
		}
	}
}

// insertAt inserts what an empty operand should be where its moves are.
func (s *agSolver) insertAt(d *agDep, side int, goal []byte) {
	for k, move := range d.moves[side] {
		if k == 4 || s.stopped || !s.refresh(&d.target) {
			return
		}
		at := agSpan{move.pos, move.pos}
		if s.place(&d.target, side, agTextCodes[0], at, append(s.with[:0], goal...)).won() {
			return
		}
	}
}

func agSameFold(a, b []byte) bool {
	for i := range a {
		if agCmpLower(a[i]) != agCmpLower(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// climb sets one byte after the other to the value that brings the operands closest, those that move
// the operand most first; a second measure of distance has its turn after the first. It gives up when
// several bytes in a row are of no use.
func (s *agSolver) climb(d *agDep, side int) {
	t := &d.target
	if len(d.moves[side]) > agClimbBytes || t.site.climbs >= agClimbDoubts ||
		t.rec.width == 0 && t.rec.a != t.rec.b || s.ofLength(t.ref) {
		return
	}
	order := agByStep(d.moves[side])
	s.probe.copyFrom(&s.base)
	for pass := 0; pass < agClimbPasses; pass++ {
		byBits := pass&1 == 1
		best := s.distanceOf(&t.rec, byBits)
		for k, useless := 0, 0; k < len(order) && useless < agClimbUseless; k++ {
			if s.left < 256 {
				return
			}
			closer, met := s.sweep(t, order[k].pos, best, byBits)
			if met {
				return
			}
			if useless++; closer < best {
				best, useless = closer, 0
			}
		}
	}
	t.site.climbs++
}

// distanceOf is agDistance for a record of the base.
func (s *agSolver) distanceOf(r *agCmp, byBits bool) uint64 {
	return agTextDistance(r, s.trace.text(r, 0), s.trace.text(r, 1), byBits)
}

// sweep tries every value of one byte of the probe and leaves the best there.
func (s *agSolver) sweep(t *agTarget, pos int, best uint64, byBits bool) (uint64, bool) {
	was := s.probe.data[pos]
	keep := was
	for value := 0; value < 256; value++ {
		s.trial.copyFrom(&s.probe)
		s.trial.data[pos] = byte(value)
		if byte(value) == was {
			continue
		}
		s.guard = agSpan{pos, pos + 1}
		out := s.try(t)
		if s.stopped || out.equal {
			return best, true
		}
		if !out.ran {
			continue
		}
		if r := agLive(t.ref); r != nil {
			if far := agDistance(r, byBits); far < best {
				best, keep = far, byte(value)
			}
		}
	}
	s.probe.data[pos] = keep
	return best, false
}
