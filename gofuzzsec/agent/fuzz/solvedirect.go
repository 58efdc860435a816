package fuzz

// The first stage: operands that stand in the input.

// direct goes through the targets until none of them makes the base better.
func (s *agSolver) direct() {
	for again := true; again && !s.stopped; {
		again = false
		for _, t := range s.targets() {
			t := t
			if !s.refresh(&t) || !s.first(1, &t) {
				continue
			}
			before := s.moved
			s.moved = false
			s.measure()
			s.directTarget(&t)
			again = again || s.moved
			s.moved = s.moved || before
			if s.stopped {
				return
			}
		}
	}
}

func (s *agSolver) directTarget(t *agTarget) {
	for side := 0; side < 2; side++ {
		if !s.refresh(t) {
			return
		}
		if side == 0 && t.rec.flags&agCmpConst != 0 {
			continue
		}
		if t.rec.width == 0 {
			s.directText(t, side)
			continue
		}
		found := s.directRaw(t, side, 0)
		if s.refreshed(t) && !s.stopped && s.directNumber(t, side) || found || s.stopped {
			continue
		}
		if v := t.rec.value(side); t.rec.width > 1 && v > 255 {
			if !s.directRaw(t, side, 1) {
				s.directRaw(t, side, ^uint64(0))
			}
		}
	}
	if s.refresh(t) {
		s.fitLength(t)
	}
}

var agRawSizes = [...]uint8{8, 4, 2, 3, 1}

// directRaw looks for an integer operand less off in the input and writes the other side less off
// there. It reports whether there was such a place.
func (s *agSolver) directRaw(t *agTarget, side int, off uint64) bool {
	found := false
	width := t.rec.width
	v, goal := t.rec.value(side)-off, t.rec.value(1-side)-off
	for _, size := range agRawSizes {
		for order := 0; order < 2 && !(size == 1 && order == 1); order++ {
			code := agCode{kind: agCodeRaw, size: size, big: order == 1}
			if !code.fits(v, width) || !code.fits(goal, width) {
				continue
			}
			s.find = code.raw(s.find[:0], v, width)
			for _, at := range s.placesOf(s.find, false) {
				found = true
				s.writeRaw(t, side, code, at, goal)
				if s.stopped || !s.refreshed(t) {
					return true
				}
			}
		}
	}
	return found
}

// refreshed reports whether a target is still as it was when its places were looked up.
func (s *agSolver) refreshed(t *agTarget) bool {
	at := s.trace.find(t.ref.site, t.ref.nth)
	return at >= 0 && s.trace.recs[at].a == t.rec.a && s.trace.recs[at].b == t.rec.b
}

// placesOf returns where part lies within one argument of the base. When there are so many places that
// each says little, it is the one that follows the last change: comparisons mostly go forwards.
func (s *agSolver) placesOf(part []byte, fold bool) []int {
	var places []int
	next := -1
	for at := agFindBytes(s.base.data, part, 0, fold); at >= 0; at = agFindBytes(s.base.data, part, at+1, fold) {
		if at+len(part) > s.base.ends[s.base.argAt(at)] {
			continue
		}
		if at >= s.last && next < 0 {
			next = at
		}
		if len(places) <= agSolveMatches {
			places = append(places, at)
		} else if next >= 0 {
			break
		}
	}
	if len(places) <= agSolveMatches {
		return places
	}
	if next < 0 {
		return nil
	}
	return append(places[:0], next)
}

// writeRaw writes goal at a place of the base, and when the comparison then held but nothing new
// came of that, its neighbours: it may have been one of order.
func (s *agSolver) writeRaw(t *agTarget, side int, code agCode, at int, goal uint64) agOutcome {
	out := s.place(t, side, code, agSpan{at, at + int(code.size)}, code.raw(s.with[:0], goal, t.rec.width))
	if out.based {
		at = s.guard.from
	}
	if !out.equal || out.fresh {
		return out
	}
	kept, ran := 0, 0
	for _, near := range [...]uint64{goal + 1, goal - 1} {
		if s.stopped || !code.fits(near, t.rec.width) {
			continue
		}
		if s.place(t, side, code, agSpan{at, at + int(code.size)}, code.raw(s.with[:0], near, t.rec.width)).ran {
			ran++
			if !s.lacks(&s.trace) {
				kept++
			}
		}
	}
	if ran == 2 && kept == 1 {
		s.release(t.ref)
	}
	return out
}

// release stops holding a comparison of order: that it is met was no merit.
func (s *agSolver) release(ref agRef) {
	if n := len(s.held) - 1; n >= 0 && s.held[n] == ref {
		s.held = s.held[:n]
	}
}

// place tries the base with other bytes in a span; the argument there must allow for another length
// when the length differs. Where that met the target it sees whether the target is a link.
func (s *agSolver) place(t *agTarget, side int, code agCode, span agSpan, with []byte) agOutcome {
	s.with = with
	s.trial.copyFrom(&s.base)
	i := agArgOf(&s.trial, span)
	if i < 0 || s.trial.kinds[i].variable() == false && len(with) != span.to-span.from {
		return agOutcome{}
	}
	s.trial.splice(i, span.from, span.to, with)
	s.guard = agSpan{span.from, span.from + len(with)}
	written := s.guard
	out := s.try(t)
	if out.equal && t.rec.flags&agCmpConst == 0 {
		s.suspect(t, side, code, written)
	}
	return out
}

// agArgOf returns the argument that holds all of span, -1 when none does. An empty span belongs to
// the first variable argument that it touches.
func agArgOf(in *agInput, span agSpan) int {
	for i, end := range in.ends {
		if in.begin(i) <= span.from && span.to <= end && (span.from < span.to || in.kinds[i].variable()) {
			return i
		}
	}
	return -1
}

// directNumber looks for an integer operand as text.
func (s *agSolver) directNumber(t *agTarget, side int) bool {
	found := 0
	for _, base := range [...]uint8{10, 16, 8} {
		for i := range s.base.ends {
			if i >= len(s.base.ends) || !s.base.kinds[i].variable() {
				continue
			}
			at := s.base.begin(i)
			for found < agSolveMatches && !s.stopped {
				number, ok := agNextNumber(s.base.data, at, s.base.ends[i], base)
				if !ok {
					break
				}
				at = number.span.to
				if !agIsNumber(number, t.rec.value(side), t.rec.width) {
					continue
				}
				found++
				if s.writeNumber(t, side, base, number).equal && !s.refreshed(t) {
					return true
				}
			}
		}
	}
	return found > 0
}

// agIsNumber reports whether a number in the input is what an operand of width bytes says.
func agIsNumber(n agNumber, v uint64, width uint8) bool {
	if n.negative && n.value&agCmpMask(width) == -v&agCmpMask(width) {
		return true
	}
	return n.value == v&agCmpMask(width)
}

// writeNumber replaces a number of the base by the other side of the target and its neighbours, in
// as many digits as it had and in as many as it takes.
func (s *agSolver) writeNumber(t *agTarget, side int, base uint8, n agNumber) agOutcome {
	rec := t.rec
	span := n.span
	if n.negative {
		span.from--
	}
	upper := false
	for _, c := range s.base.data[n.span.from:n.span.to] {
		upper = upper || 'A' <= c && c <= 'F'
	}
	best := agOutcome{}
	for _, fixed := range [...]bool{false, true} {
		code := agCode{kind: agCodeDigits, base: base, upper: upper, fixed: fixed}
		least := 1
		if fixed {
			least = n.span.to - n.span.from
		}
		for k, goal := range [...]uint64{rec.value(1 - side), rec.value(1-side) + 1, rec.value(1-side) - 1} {
			if s.stopped || k > 0 && (!best.equal || best.fresh) {
				break
			}
			with := code.digits(s.with[:0], goal, rec.width, least, base == 10)
			out := s.place(t, side, code, span, with)
			if out.based {
				span = s.guard
			}
			best.equal, best.fresh = best.equal || out.equal, best.fresh || out.fresh
		}
		if best.won() {
			break
		}
	}
	return best
}

var agTextCodes = [...]agCode{
	{kind: agCodeRaw}, {kind: agCodeFold},
	{kind: agCodeHex}, {kind: agCodeHex, upper: true}, {kind: agCodeBase64},
}

// directText looks for a string operand in the input and writes the other side there: instead of
// it, and over what follows it. For one that is not there it tries whole arguments.
func (s *agSolver) directText(t *agTarget, side int) {
	rec := t.rec
	goal := append([]byte(nil), s.trace.text(&rec, 1-side)...)
	text := append([]byte(nil), s.trace.text(&rec, side)...)
	if len(goal) == 0 {
		return
	}
	found := false
	for k, code := range agTextCodes {
		if k > 0 && found || len(text) == 0 {
			break
		}
		s.find = code.textOf(s.find[:0], text)
		for _, at := range s.placesOf(s.find, code.kind == agCodeFold) {
			found = true
			if s.writeText(t, side, code, agSpan{at, at + len(s.find)}, goal) || s.stopped {
				return
			}
		}
	}
	if found || len(text) > 2 && t.site.dry > 64 {
		return
	}
	for i := range s.base.ends {
		if i >= len(s.base.ends) || !s.base.kinds[i].variable() {
			continue
		}
		from, to := s.base.begin(i), s.base.ends[i]
		code := agTextCodes[0]
		if s.place(t, side, code, agSpan{from, to}, append(s.with[:0], goal...)).equal || s.stopped {
			return
		}
		if len(text) == 0 && to > from {
			if s.place(t, side, code, agSpan{from, from}, append(s.with[:0], goal...)).equal || s.stopped {
				return
			}
			s.place(t, side, code, agSpan{to, to}, append(s.with[:0], goal...))
		}
		if s.stopped || !s.refreshed(t) {
			return
		}
	}
}

// writeText writes goal over a span of the base; true when the target need not be looked at further.
func (s *agSolver) writeText(t *agTarget, side int, code agCode, span agSpan, goal []byte) bool {
	s.with = code.textOf(s.with[:0], goal)
	size := len(s.with)
	i := agArgOf(&s.base, span)
	if s.place(t, side, code, span, s.with).equal && !s.refreshed(t) {
		return true
	}
	if i < 0 || span.to > s.base.ends[i] || span.to-span.from == size || s.stopped {
		return false
	}
	over := agSpan{span.from, span.from + size}
	if over.to > s.base.ends[i] {
		over.to = s.base.ends[i]
	}
	return s.place(t, side, code, over, code.textOf(s.with[:0], goal)).equal && !s.refreshed(t)
}
