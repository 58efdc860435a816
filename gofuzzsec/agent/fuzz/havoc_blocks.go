package fuzz

// Operators that add or remove ranges. Beyond moving the bytes behind the place, their cost depends
// only on how much they add.

// insertCopy inserts a copy of a range elsewhere in the argument.
func (m *agMutator) insertCopy(in *agInput, i int) bool {
	begin, n := in.begin(i), in.ends[i]-in.begin(i)
	if n == 0 {
		return false
	}
	from, to := m.block(n)
	if room := m.room(in); to-from > room {
		to = from + room
	}
	if to <= from {
		return false
	}
	m.copyTo(in, i, begin+m.rand.below(n+1), begin+from, begin+to)
	return true
}

// copyTo inserts a copy of data[from:to], a part of argument i, before data[at] in it.
func (m *agMutator) copyTo(in *agInput, i, at, from, to int) {
	n := to - from
	gap := agMutGap(in, i, at, n)
	before := 0 // how much of the range has stayed before the gap
	if at > from {
		before = at - from
		if before > n {
			before = n
		}
	}
	copy(gap, in.data[from:from+before])
	copy(gap[before:], in.data[from+before+n:to+n])
}

// insertRandom inserts up to 32 random bytes.
func (m *agMutator) insertRandom(in *agInput, i int) bool {
	most := m.room(in)
	if most <= 0 {
		return false
	}
	if most > 32 {
		most = 32
	}
	m.fill(agMutGap(in, i, m.place(in, i), m.span(most)))
	return true
}

// place draws a position to insert at in argument i, its end included, as an index of data.
func (m *agMutator) place(in *agInput, i int) int {
	begin := in.begin(i)
	return begin + m.rand.below(in.ends[i]-begin+1)
}

// insertConstant inserts one byte, mostly repeated.
func (m *agMutator) insertConstant(in *agInput, i int) bool {
	n := m.extra(in, i)
	if n == 0 {
		return false
	}
	v := m.constant(in.arg(i))
	gap := agMutGap(in, i, m.place(in, i), n)
	gap[0] = v
	agMutRepeat(gap, 1)
	return true
}

// repeatBlock repeats a range on the spot: mostly a few times, seldom up to a thousand.
func (m *agMutator) repeatBlock(in *agInput, i int) bool {
	begin, n := in.begin(i), in.ends[i]-in.begin(i)
	if n == 0 {
		return false
	}
	from, to := m.block(n)
	return m.repeat(in, i, begin+from, begin+to)
}

// repeat inserts copies of data[from:to], a non-empty part of argument i, behind it.
func (m *agMutator) repeat(in *agInput, i, from, to int) bool {
	n := to - from
	times := m.times()
	if most := m.room(in) / n; times > most {
		times = most
	}
	if times <= 0 {
		return false
	}
	agMutGap(in, i, to, n*times)
	agMutRepeat(in.data[from:to+n*times], n)
	return true
}

// times draws how often to repeat something.
func (m *agMutator) times() int {
	r := m.rand.half()
	switch {
	case r&3 != 0:
		return 1 + int(r>>8&3)
	case r&0x3c != 0:
		return 1 + int(r>>8&15)
	}
	return 1 + int(r>>8&1023)
}

// removeRange removes a range.
func (m *agMutator) removeRange(in *agInput, i int) bool {
	n := in.ends[i] - in.begin(i)
	if n == 0 {
		return false
	}
	from, to := m.block(n)
	in.splice(i, in.begin(i)+from, in.begin(i)+to, nil)
	return true
}

// truncate removes the end: half the time a few bytes, else everything behind some place.
func (m *agMutator) truncate(in *agInput, i int) bool {
	n := in.ends[i] - in.begin(i)
	if n == 0 {
		return false
	}
	cut := m.rand.below(2 * n)
	if cut >= n {
		cut = m.span(n)
	} else {
		cut++
	}
	in.splice(i, in.ends[i]-cut, in.ends[i], nil)
	return true
}

// appendTail adds to the end: one byte repeated, random bytes, or a range of the argument.
func (m *agMutator) appendTail(in *agInput, i int) bool {
	n := m.extra(in, i)
	if n == 0 {
		return false
	}
	end := in.ends[i]
	switch m.rand.half() >> 30 {
	case 0:
		v := m.constant(in.arg(i))
		gap := agMutGap(in, i, end, n)
		gap[0] = v
		agMutRepeat(gap, 1)
	case 1:
		if n > 32 {
			n = 32
		}
		m.fill(agMutGap(in, i, end, n))
	default:
		have := end - in.begin(i)
		if have == 0 {
			return false
		}
		if n > have {
			n = have
		}
		from := end - n - m.rand.below(have-n+1)
		m.copyTo(in, i, end, from, from+n)
	}
	return true
}

// agMutPieceMax bounds how far the end of a piece is looked for.
const agMutPieceMax = 128

// piece finds a piece of text around structure it guesses: from an opening bracket to its partner,
// else from a byte to where the same byte comes again, as between commas, quotes or line ends. The
// result is not empty; ok is false when none was found near by.
func (m *agMutator) piece(b []byte) (from, to int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	from = m.rand.below(len(b))
	to = agMutPieceEnd(b, from)
	return from, to, to > from
}

// agMutPieceEnd returns where the piece that begins at from ends, 0 when there is none.
func agMutPieceEnd(b []byte, from int) int {
	open := b[from]
	closing := agMutClosing(open)
	last := len(b)
	if last > from+agMutPieceMax {
		last = from + agMutPieceMax
	}
	nested := 0
	for k := from + 1; k < last; k++ {
		switch b[k] {
		case closing:
			if nested == 0 {
				return k + 1
			}
			nested--
		case open:
			if closing == 0 {
				return k
			}
			nested++
		}
	}
	return 0
}

// agMutClosing returns the bracket that closes this one, 0 for other bytes.
func agMutClosing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[', '{', '<':
		return open + 2
	}
	return 0
}

// removePiece removes a piece.
func (m *agMutator) removePiece(in *agInput, i int) bool {
	from, to, ok := m.piece(in.arg(i))
	if ok {
		in.splice(i, in.begin(i)+from, in.begin(i)+to, nil)
	}
	return ok
}

// repeatPiece repeats a piece on the spot.
func (m *agMutator) repeatPiece(in *agInput, i int) bool {
	from, to, ok := m.piece(in.arg(i))
	return ok && m.repeat(in, i, in.begin(i)+from, in.begin(i)+to)
}

// wrapPiece repeats the first and the last byte of a piece, so that brackets nest.
func (m *agMutator) wrapPiece(in *agInput, i int) bool {
	b := in.arg(i)
	from, to, ok := m.piece(b)
	if !ok {
		return false
	}
	times := m.times()
	if most := m.room(in) / 2; times > most {
		times = most
	}
	if times <= 0 {
		return false
	}
	first, last := b[from], b[to-1]
	begin := in.begin(i)
	for _, side := range [2]struct {
		at int
		v  byte
	}{{begin + to, last}, {begin + from, first}} {
		gap := agMutGap(in, i, side.at, times)
		gap[0] = side.v
		agMutRepeat(gap, 1)
	}
	return true
}
