package fuzz

// Operators that take parts of other corpus entries.

// partner picks another input and returns its argument i, nil when there is none to take from.
func (m *agMutator) partner(in *agInput, i int) []byte {
	if len(m.partners) == 0 {
		return nil
	}
	other := m.partners[m.rand.below(len(m.partners))]
	if other == nil || other == in || i >= len(other.ends) || i >= len(other.kinds) ||
		other.kinds[i].width != in.kinds[i].width {
		return nil
	}
	return other.arg(i)
}

// partnerInsert inserts a range of another input.
func (m *agMutator) partnerInsert(in *agInput, i int) bool {
	theirs := m.partner(in, i)
	if len(theirs) == 0 {
		return false
	}
	from, to := m.block(len(theirs))
	if room := m.room(in); to-from > room {
		to = from + room
	}
	if to <= from {
		return false
	}
	at := m.place(in, i)
	in.splice(i, at, at, theirs[from:to])
	return true
}

// partnerOverwrite copies a range of another input, half the time to where it was there.
func (m *agMutator) partnerOverwrite(in *agInput, i int) bool {
	theirs, ours := m.partner(in, i), in.arg(i)
	if len(theirs) == 0 || len(ours) == 0 {
		return false
	}
	from, to := m.block(len(theirs))
	at := from
	if at >= len(ours) || m.rand.half()>>31 == 0 {
		at = m.rand.below(len(ours))
	}
	if to-from > len(ours)-at {
		to = from + len(ours) - at
	}
	if agMutSame(ours[at:at+to-from], theirs[from:to]) {
		return false
	}
	copy(ours[at:], theirs[from:to])
	return true
}

// partnerCross replaces everything behind a place with the end of another input, half the time from
// the same place on.
func (m *agMutator) partnerCross(in *agInput, i int) bool {
	theirs, ours := m.partner(in, i), in.arg(i)
	if len(theirs) == 0 {
		return false
	}
	at := m.rand.below(len(ours) + 1)
	from := at
	if from >= len(theirs) || m.rand.half()>>31 == 0 {
		from = m.rand.below(len(theirs))
	}
	to := len(theirs)
	if room := m.room(in) + len(ours) - at; to-from > room {
		to = from + room
	}
	if to < from || agMutSame(ours[at:], theirs[from:to]) {
		return false
	}
	in.splice(i, in.begin(i)+at, in.ends[i], theirs[from:to])
	return true
}

// partnerPiece replaces a piece with one of another input that begins with the same byte, or inserts
// it before.
func (m *agMutator) partnerPiece(in *agInput, i int) bool {
	ours := in.arg(i)
	theirs := m.partner(in, i)
	if len(theirs) == 0 {
		return false
	}
	at, end, ok := m.piece(ours)
	if !ok {
		return false
	}
	from := agMutSeek(theirs, m.rand.below(len(theirs)), ours[at])
	if from < 0 {
		return false
	}
	to := agMutPieceEnd(theirs, from)
	if m.rand.half()>>30 == 0 {
		end = at
	}
	if to <= from || to-from-(end-at) > m.room(in) || agMutSame(theirs[from:to], ours[at:end]) {
		return false
	}
	in.splice(i, in.begin(i)+at, in.begin(i)+end, theirs[from:to])
	return true
}

// agMutSeek returns where the next v is in the agMutPieceMax bytes from b[at] on, else -1.
func agMutSeek(b []byte, at int, v byte) int {
	for k := at; k < len(b) && k < at+agMutPieceMax; k++ {
		if b[k] == v {
			return k
		}
	}
	return -1
}
